//! Changes of the generated calls for which the generator has no setting: what they send, and how they read the response.

use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Block, Expr, ExprPath, GenericArgument, Ident, ImplItemFn, LitStr, Local, Pat, PathArguments, ReturnType,
    Stmt, Type, parse_quote,
};

/// Removes the header `api-version` from every call, and lets `response::read` of the crate read the response, or
/// `response::stream` one that is a file.
///
/// The API has no such header, and a map of headers for it alone would cost something at each call. The generator's own code
/// copies all headers, reads bodies of any size, and accepts no success status but the one in the spec.
pub(super) struct Adjust;

/// The header, and the variable in which the generated client collects headers.
const VERSION: &str = "api-version";
const MAP: &str = "header_map";

/// The variable of the response, which the generated client reads by its status.
const ANSWER: &str = "response";

impl VisitMut for Adjust {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        visit_mut::visit_expr_mut(self, expression);
        if matches!(expression, Expr::Match(by) if is_of_response(&by.expr)) {
            *expression = parse_quote!(crate::response::read(response).await);
        }
    }

    fn visit_impl_item_fn_mut(&mut self, function: &mut ImplItemFn) {
        visit_mut::visit_impl_item_fn_mut(self, function);
        if body_type(&function.sig.output).is_some_and(|body| is_stream(&body)) {
            Streamed.visit_block_mut(&mut function.block);
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

/// Reads the response as a file.
struct Streamed;

impl VisitMut for Streamed {
    fn visit_expr_path_mut(&mut self, function: &mut ExprPath) {
        let segments = &mut function.path.segments;
        if segments.len() == 3 && segments[1].ident == "response" {
            segments[2] = parse_quote!(stream);
        }
    }
}

/// Whether a type is the generator's for the bytes of a file.
fn is_stream(body: &Type) -> bool {
    matches!(body, Type::Path(path) if path.path.is_ident("ByteStream"))
}

/// Whether an expression starts with the response: `response.status()…`.
fn is_of_response(expression: &Expr) -> bool {
    match expression {
        Expr::MethodCall(call) => is_of_response(&call.receiver),
        Expr::Path(path) => path.path.is_ident(ANSWER),
        _ => false,
    }
}

/// What a statement does with the map of headers.
#[derive(Default)]
struct Gathering {
    fills: bool,
    version: bool,
}

impl Gathering {
    fn of(statement: &Stmt) -> Self {
        let mut gathering = Self::default();
        // A `let` makes the map, and another makes the request that takes it.
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

/// Removes `.headers(header_map)`.
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

/// Has every call of the client return the body of the response alone, and fail with this error: `response::of` of the crate
/// makes both of what was read.
pub(super) struct FailWith(pub(super) Type);

impl VisitMut for FailWith {
    fn visit_impl_item_fn_mut(&mut self, function: &mut ImplItemFn) {
        if let Some(body) = body_type(&function.sig.output) {
            let (call, error) = (&function.block, &self.0);
            function.sig.output = parse_quote!(-> Result<#body, #error>);
            function.block = parse_quote!({ crate::response::of(async #call.await) });
        }
    }
}

/// The type `T` of a function that returns `Result<ResponseValue<T>, _>`.
fn body_type(output: &ReturnType) -> Option<Type> {
    let ReturnType::Type(_, result) = output else { return None };
    argument(&argument(result, "Result")?, "ResponseValue")
}

/// The first type between the angle brackets of a type of this name.
fn argument(of: &Type, name: &str) -> Option<Type> {
    let Type::Path(path) = of else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == name)?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument.clone()),
        _ => None,
    })
}
