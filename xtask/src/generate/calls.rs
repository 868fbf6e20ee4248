//! What the generator has no setting for: how the calls of the client send and read.

use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, Ident, LitStr, Local, Pat, Stmt, parse_quote};

/// Drops the header `api-version` of every call, and has `clipia_api::answer` read what comes back.
///
/// The API knows no such header, and a map made for it alone is a cost of each call. The generator's own reading
/// copies all headers, bounds nothing, and takes no other success than the one that the specification names.
pub(super) struct Adjust;

/// The header, and where the generated client gathers headers.
const VERSION: &str = "api-version";
const MAP: &str = "header_map";

/// The answer, which the generated client reads by its status.
const ANSWER: &str = "response";

impl VisitMut for Adjust {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        visit_mut::visit_expr_mut(self, expression);
        if matches!(expression, Expr::Match(by) if is_of_answer(&by.expr)) {
            *expression = parse_quote!(crate::response::read(response).await);
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

/// Whether an expression is of what was answered: `response.status()…`.
fn is_of_answer(expression: &Expr) -> bool {
    match expression {
        Expr::MethodCall(call) => is_of_answer(&call.receiver),
        Expr::Path(path) => path.path.is_ident(ANSWER),
        _ => false,
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
