//! What the generator has no setting for: how the calls of the client send and read.

use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, ExprPath, Ident, LitStr, Local, Pat, Stmt, parse_quote};

/// Drops the header `api-version` of every call, and has `clipia_api::answer` read what comes back.
///
/// The API knows no such header, and a map made for it alone is a cost of each call. The generator's own reading
/// copies all headers and bounds nothing.
pub(super) struct Adjust;

/// The header, and where the generated client gathers headers.
const VERSION: &str = "api-version";
const MAP: &str = "header_map";

/// How the generated client reads an answer.
const READING: [&str; 2] = ["ResponseValue", "from_response"];

impl VisitMut for Adjust {
    fn visit_expr_path_mut(&mut self, expression: &mut ExprPath) {
        if expression.path.segments.iter().map(|segment| segment.ident.to_string()).eq(READING) {
            expression.path = parse_quote!(crate::answer::read);
        }
    }

    fn visit_block_mut(&mut self, block: &mut Block) {
        visit_mut::visit_block_mut(self, block);
        block.stmts.retain(|statement| !Gathering::of(statement).version);
        let is_filled = block.stmts.iter().any(|statement| Gathering::of(statement).fills);
        if !is_filled && block.stmts.iter().any(makes_map) {
            block.stmts.retain(|statement| !makes_map(statement));
            WithoutMap.visit_block_mut(block);
        }
    }
}

/// What a statement does to the map of headers.
#[derive(Default)]
struct Gathering {
    fills: bool,
    version: bool,
}

impl Gathering {
    fn of(statement: &Stmt) -> Self {
        let mut gathering = Self::default();
        // The map itself is made by a `let`, and so is the request that takes it.
        if !matches!(statement, Stmt::Local(_)) {
            gathering.visit_stmt(statement);
        }
        gathering
    }
}

impl<'ast> Visit<'ast> for Gathering {
    fn visit_ident(&mut self, name: &'ast Ident) {
        self.fills |= name == MAP;
    }

    fn visit_lit_str(&mut self, words: &'ast LitStr) {
        self.version |= words.value() == VERSION;
    }
}

fn makes_map(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Local(Local { pat: Pat::Ident(name), .. }) if name.ident == MAP)
}

/// Drops `.headers(header_map)`.
struct WithoutMap;

impl VisitMut for WithoutMap {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        visit_mut::visit_expr_mut(self, expression);
        if let Expr::MethodCall(call) = expression
            && call.method == "headers"
            && matches!(call.args.first(), Some(Expr::Path(map)) if map.path.is_ident(MAP))
        {
            *expression = (*call.receiver).clone();
        }
    }
}
