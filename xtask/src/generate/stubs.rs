//! The stubs of `AsyncClipia` and its classes, which follow from those of `Clipia` in the same file.

use super::region::Region;
use anyhow::{Context, Result};

pub(super) const FILE: &str = "bindings/python/python/clipia_queue/_clipia_queue.pyi";

/// The source of the region, as its comments name it, and the name of the region.
const SOURCE: &str = "the classes of `Clipia`";
const NAME: &str = "the classes of `AsyncClipia`";

/// The classes that have a pair, whose name begins with `Async`.
const CLASSES: [&str; 9] = [
    "AccountResource",
    "Clipia",
    "Delivery",
    "Generation",
    "GenerationResult",
    "MediaFile",
    "ModelsResource",
    "Submitted",
    "Webhooks",
];

/// The methods that are the same in both: they return at once.
const AT_ONCE: [&str; 10] = [
    "as_completed",
    "asgi",
    "django",
    "flask",
    "generation",
    "pending",
    "receive",
    "stream",
    "updates",
    "webhooks",
];

/// The stubs of the classes of `AsyncClipia`, from the `text` of the file.
pub(super) fn asyncio(text: &str) -> Result<Region> {
    let begin = format!("# {SOURCE}");
    let (_, classes) =
        text.split_once(&format!("{begin}\n")).with_context(|| format!("no line is `{begin}`"))?;
    let end = "# generated from";
    let (classes, _) = classes.split_once(end).with_context(|| format!("no line begins with `{end}`"))?;
    let mut lines = String::new();
    let mut is_property = false;
    for line in classes.trim_end().lines() {
        lines += &asyncio_line(line, is_property);
        lines.push('\n');
        is_property = line.trim() == "@property";
    }
    // `ruff` wants the blank line after a class.
    lines.push('\n');
    Ok(Region::from(SOURCE, NAME, lines))
}

/// The line of a class of `AsyncClipia`. `is_property` says that the line above makes the method a property.
fn asyncio_line(line: &str, is_property: bool) -> String {
    let line = asyncio_words(line);
    match line.strip_prefix("    def ") {
        None => line,
        Some(method) => {
            let name = method.split('(').next().unwrap_or_default();
            match name {
                "__enter__" | "__exit__" => format!("    async def __a{}", &method["__".len()..]),
                _ if is_property || name.starts_with("__") || AT_ONCE.contains(&name) => line,
                _ => format!("    async def {method}"),
            }
        }
    }
}

/// The text with the names of the pairs in place of those of the classes.
fn asyncio_words(line: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut text = String::new();
    for word in line.split_inclusive(|c| !is_word(c)) {
        let name = word.trim_end_matches(|c| !is_word(c));
        if CLASSES.contains(&name) || name == "Iterator" {
            text.push_str("Async");
        }
        text.push_str(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_of_asyncio_is_awaited_where_a_call_waits() {
        let classes = "a\n# the classes of `Clipia`\n\n@final\nclass Clipia:\n    @property\n    def models(self) -> ModelsResource: ...\n    \
                       def submit(self, of: Iterator[ResultResponse]) -> Submitted: ...\n    def pending(self) -> list[Pending]: ...\n    \
                       def __enter__(self) -> Self: ...\n\n# generated from x: y\n";
        assert_eq!(
            asyncio(classes).unwrap().lines(),
            "\n@final\nclass AsyncClipia:\n    @property\n    def models(self) -> AsyncModelsResource: ...\n    \
             async def submit(self, of: AsyncIterator[ResultResponse]) -> AsyncSubmitted: ...\n    \
             def pending(self) -> list[Pending]: ...\n    async def __aenter__(self) -> Self: ...\n\n"
        );
        assert!(asyncio("").err().unwrap().to_string().contains("no line is"));
    }
}
