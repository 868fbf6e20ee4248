//! A change of a client's configuration: one entry is added or replaced, and every other byte stays, comments too.

use super::clients::Form;
use anyhow::{Context, anyhow};
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstRootNode};
use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item, Table};

/// The name of the entry.
pub(crate) const NAME: &str = "clipia";

/// The text of a configuration with this entry.
///
/// # Errors
/// If the text is not of its form, or has something else in the place of the entries.
pub(crate) fn with_entry(text: &str, form: Form, entry: Map<String, Value>) -> anyhow::Result<String> {
    match form {
        Form::Json(key) => with_json(text, key, entry),
        Form::Toml(key) => with_toml(text, key, entry),
    }
}

fn with_json(text: &str, key: &str, entry: Map<String, Value>) -> anyhow::Result<String> {
    let is_new = text.trim().is_empty();
    let root = CstRootNode::parse(if is_new { "{}\n" } else { text }, &ParseOptions::default());
    let root = root.map_err(|error| anyhow!("it is not JSON: {error}"))?;
    let entries = root
        .object_value()
        .context("it is not a JSON object")?
        .object_value_or_create(key)
        .with_context(|| format!("`{key}` is not a JSON object"))?;
    let entry = json_value(Value::Object(entry));
    match entries.get(NAME) {
        Some(present) => present.set_value(entry),
        None => drop(entries.append(NAME, entry)),
    }
    Ok(root.to_string())
}

fn json_value(value: Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(is) => CstInputValue::Bool(is),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text),
        Value::Array(values) => CstInputValue::Array(values.into_iter().map(json_value).collect()),
        Value::Object(entries) => CstInputValue::Object(
            entries.into_iter().map(|(name, value)| (name, json_value(value))).collect(),
        ),
    }
}

fn with_toml(text: &str, key: &str, entry: Map<String, Value>) -> anyhow::Result<String> {
    let mut document: DocumentMut = text.parse().map_err(|error| anyhow!("it is not TOML: {error}"))?;
    let entries = document.entry(key).or_insert_with(|| {
        let mut table = Table::new();
        // Only the tables below it have a heading.
        table.set_implicit(true);
        Item::Table(table)
    });
    let entries = entries.as_table_like_mut().with_context(|| format!("`{key}` is not a table"))?;
    let mut table = Table::new();
    for (name, value) in entry {
        table.insert(&name, Item::Value(toml_value(value)?));
    }
    // An entry that is replaced stays in its place, with the comments before its heading.
    if let Some(present) = entries.get(NAME).and_then(Item::as_table) {
        *table.decor_mut() = present.decor().clone();
        table.set_position(present.position());
    }
    entries.insert(NAME, Item::Table(table));
    Ok(document.to_string())
}

fn toml_value(value: Value) -> anyhow::Result<toml_edit::Value> {
    Ok(match value {
        Value::Bool(is) => is.into(),
        Value::String(text) => text.into(),
        Value::Array(values) => {
            let values = values.into_iter().map(toml_value).collect::<anyhow::Result<toml_edit::Array>>();
            toml_edit::Value::Array(values?)
        }
        other => return Err(anyhow!("an entry has no {other}")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::clients::{Client, Start};
    use super::*;

    fn edited(client: Client, text: &str) -> anyhow::Result<String> {
        let start = Start {
            program: "/usr/bin/clipia".to_owned(),
            base_url: Some("http://127.0.0.1:4747".to_owned()),
            variable: "CLIPIA_KEY",
        };
        with_entry(text, client.form(), client.entry(&start))
    }

    #[test]
    fn other_entries_and_comments_stay() {
        let before = "{\n  // mine\n  \"mcpServers\": {\n    \"other\": { \"command\": \"other\" } // keep\n  },\n  \"theme\": \"dark\"\n}\n";
        let after = edited(Client::Gemini, before).unwrap();
        for kept in
            ["// mine", "\"other\": { \"command\": \"other\" }", "// keep", "\"theme\": \"dark\"\n}\n"]
        {
            assert!(after.contains(kept), "{kept}: {after}");
        }
        assert!(after.contains("\"CLIPIA_KEY\": \"$CLIPIA_KEY\""), "{after}");
        assert_eq!(edited(Client::Gemini, &after).unwrap(), after, "a second time changes nothing");
        let before = "# mine\nmodel = \"o\" # keep\n\n[mcp_servers.other]\ncommand = \"other\"\n";
        let after = edited(Client::Codex, before).unwrap();
        assert!(after.starts_with(before), "{after}");
        for added in
            ["\n[mcp_servers.clipia]\n", "command = \"/usr/bin/clipia\"\n", "env_vars = [\"CLIPIA_KEY\"]\n"]
        {
            assert!(after.contains(added), "{added}: {after}");
        }
        assert_eq!(edited(Client::Codex, &after).unwrap(), after, "a second time changes nothing");
    }

    #[test]
    fn an_entry_of_before_is_replaced() {
        for (client, before) in [
            (Client::Cursor, "{\"mcpServers\": {\"clipia\": {\"command\": \"old\"}, \"other\": {}}}"),
            (Client::Codex, "[mcp_servers.clipia]\ncommand = \"old\"\n[mcp_servers.other]\n"),
        ] {
            let after = edited(client, before).unwrap();
            assert!(!after.contains("old") && after.contains("other"), "{after}");
        }
    }

    #[test]
    fn a_new_file_has_the_entry_alone() {
        let json: Value = serde_json::from_str(&edited(Client::Vscode, "").unwrap()).unwrap();
        assert_eq!(json["servers"]["clipia"]["type"], "stdio");
        assert_eq!(json["servers"]["clipia"]["env"]["CLIPIA_KEY"], "${env:CLIPIA_KEY}");
        let desktop: Value = serde_json::from_str(&edited(Client::ClaudeDesktop, "").unwrap()).unwrap();
        assert_eq!(desktop["mcpServers"]["clipia"].get("env"), None);
        let project: Value = serde_json::from_str(&edited(Client::ClaudeCode, "\n").unwrap()).unwrap();
        assert_eq!(project["mcpServers"]["clipia"]["command"], "clipia");
        assert!(edited(Client::Codex, "").unwrap().starts_with("[mcp_servers.clipia]\n"));
    }

    #[test]
    fn a_file_of_another_form_is_not_changed() {
        for (client, text, why) in [
            (Client::Cursor, "{\"mcpServers\": ", "not JSON"),
            (Client::Cursor, "[]", "not a JSON object"),
            (Client::Cursor, "{\"mcpServers\": []}", "`mcpServers` is not a JSON object"),
            (Client::Codex, "mcp_servers = 1", "`mcp_servers` is not a table"),
            (Client::Codex, "= 1", "not TOML"),
        ] {
            let error = edited(client, text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
