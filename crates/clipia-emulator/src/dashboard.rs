//! The page of the emulator on the dashboard: its clock, what callers called, what they did wrong, and faults.

use crate::control::Control;
use crate::emulation::Emulation;
use crate::journal::{Filter, Form};
use crate::{FaultRule, duration};
use async_trait::async_trait;
use clipia_server::dashboard::section::Section;
use maud::{Markup, html};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many of the latest calls the page shows.
const CALLS: usize = 100;

/// Examples of a time and of a fault, in their fields.
const TIME: &str = "10m";
const FAULT: &str = "submit 503 x2";

/// The page of the emulator.
pub(crate) struct EmulatorPage {
    pub(crate) emulation: Arc<Emulation>,
    pub(crate) control: Arc<dyn Control>,
}

#[async_trait]
impl Section for EmulatorPage {
    fn name(&self) -> &'static str {
        "Emulator"
    }

    fn path(&self) -> &'static str {
        "emulator"
    }

    async fn show(&self, act: &str) -> Markup {
        let clock = self.control.clock().await;
        html! {
            section { h2 { "Clock" } (self.clock(act, &clock)) }
            section { h2 { "Findings" } (self.findings()) }
            section { h2 { "Faults" } (self.faults(act)) }
            section { h2 { "Journal" } (self.journal()) }
            form.row method="post" action=(act) data-confirm="Forget the journal, the findings, the faults and the scripts that were added?" {
                button name="act" value="reset" { "Reset" }
            }
        }
    }

    async fn act(&self, fields: BTreeMap<String, String>) -> Result<String, String> {
        let field = |name: &str| fields.get(name).map(|text| text.trim()).unwrap_or_default();
        match field("act") {
            "advance" => {
                let time = field("time");
                let by = duration::parse(time)
                    .ok_or_else(|| format!("A time is such as {TIME}; `{time}` is none."))?;
                let advanced = self.control.advance(by).await.map_err(|refused| refused.to_string())?;
                let happened = advanced.get("occurred").and_then(Value::as_array).map_or(0, Vec::len);
                Ok(format!("The clock went on by {}: {happened} things happened.", duration::shown(by)))
            }
            "fault" => {
                let rule: FaultRule = field("fault").parse().map_err(|wrong| format!("{wrong}"))?;
                let said = rule.to_string();
                let number = self.emulation.add_fault(rule);
                Ok(format!("Fault {number} is added: {said}."))
            }
            "remove" => match field("number").parse() {
                Ok(number) if self.emulation.remove_fault(number) => {
                    Ok(format!("Fault {number} is removed."))
                }
                _ => Err("There is no such fault.".to_owned()),
            },
            "reset" => {
                self.control.reset().await.map_err(|refused| refused.to_string())?;
                self.emulation.reset();
                Ok("All is as at the start.".to_owned())
            }
            other => Err(format!("`{other}` is no action of this page.")),
        }
    }
}

impl EmulatorPage {
    fn clock(&self, act: &str, clock: &Value) -> Markup {
        let text = |name: &str| clock.get(name).and_then(Value::as_str).unwrap_or("nothing").to_owned();
        let pace = text("clock");
        html! {
            p { "The clock is " code { (pace) } ". It says " strong { (text("now")) } ". Due next: " (text("next_due")) "." }
            @if pace == "manual" {
                form.row method="post" action=(act) {
                    label { "Advance by " input.short name="time" placeholder=(TIME) required; }
                    button name="act" value="advance" { "Advance" }
                }
            } @else { p.hint { "With " code { "--clock manual" } " it is moved from here." } }
        }
    }

    fn findings(&self) -> Markup {
        let findings = self.emulation.findings();
        // The same of many requests is one mistake of their caller.
        let mut times: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for finding in &findings {
            *times.entry((&finding.what, finding.hint)).or_default() += finding.times;
        }
        html! {
            @if times.is_empty() { p.empty { "Callers and receivers did nothing wrong until now." } }
            @for ((what, hint), times) in &times {
                p.notice.bad { (what) @if *times > 1 { " (" (times) " times)" } br; span.quiet { (hint) } }
            }
        }
    }

    fn faults(&self, act: &str) -> Markup {
        let faults = self.emulation.faults();
        html! {
            @if faults.is_empty() { p.empty { "No fault: every call is answered as the API answers it." } } @else {
                table {
                    thead { tr { th.number { "Number" } th { "Fault" } th.number { "Calls" } th.number { "Applied" } th { span.unseen { "Action" } } } }
                    tbody { @for fault in &faults { tr {
                        td.number { (fault.number) }
                        td { code { (fault.rule) } }
                        td.number { (fault.seen) }
                        td.number { (fault.applied) }
                        td { form.one method="post" action=(act) {
                            input type="hidden" name="number" value=(fault.number);
                            button name="act" value="remove" { "Remove" }
                        } }
                    } } }
                }
            }
            form.row method="post" action=(act) {
                label { "A fault " input name="fault" placeholder=(FAULT) required; }
                button name="act" value="fault" { "Add" }
            }
        }
    }

    fn journal(&self) -> Markup {
        let calls = self.emulation.journal(&Filter::default(), Form::default());
        let latest = calls.iter().rev().take(CALLS);
        html! {
            p.summary { "The latest of " (calls.len()) " calls, the newest first." }
            @if calls.is_empty() { p.empty { "Nobody called yet." } } @else {
                table {
                    thead { tr { th.number { "Number" } th { "Call" } th { "Key" } th { "Model" } th { "Response" } th { "Fault or script" } } }
                    tbody { @for call in latest { tr {
                        td.number { (call.number) }
                        td { code { (call.method) " " (call.route) } }
                        td { @if let Some(key) = &call.key { code { (key) } } }
                        td { @if let Some(model) = &call.model { (model) } }
                        td { @match call.response { Some(status) => (status), None => "none" }
                            @if let Some(code) = &call.code { " " code { (code) } }
                            @if let Some(status) = &call.request_status { " " (status) } }
                        td { @if let Some(fault) = &call.fault { (fault) " " } @if let Some(script) = &call.script { code { (script) } } }
                    } } }
                }
            }
        }
    }
}
