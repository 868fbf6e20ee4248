//! An `[[executor]]` of `models.toml`.

use clipia_queue::mistakes::Notes;
use clipia_queue::position::Order;
use clipia_queue::suggestion::{did_you_mean, nearest};
use clipia_worker::{ProgramSettings, size};
use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The most slots of an executor, and so the most devices.
pub(super) const SLOTS_MAX: u64 = 1_024;

/// The longest name of an executor: it is the name of a queue, of a directory and of a metric's label.
const NAME_BYTES_MAX: usize = 64;

/// The longest time until a warm program is ready, and the longest time to its end, in seconds: a day and an hour.
const START_SECONDS_MAX: u64 = 24 * 60 * 60;
const GRACE_SECONDS_MAX: u64 = 60 * 60;

/// The longest time that a warm program may wait for a job, in seconds: 30 days.
const IDLE_SECONDS_MAX: u64 = 30 * 24 * 60 * 60;

/// The most bytes that an output may be allowed: 1 TiB.
const OUTPUT_BYTES_LIMIT: u64 = 1 << 40;

/// The variable that `devices` sets.
const DEVICES_VARIABLE: &str = "CUDA_VISIBLE_DEVICES";

/// The beginning of the variables that the contract of a job sets.
const CONTRACT_VARIABLES: &str = "CLIPIA_";

/// The keys of an executor.
pub(super) const KEYS: [&str; 13] = [
    "name",
    "command",
    "warm",
    "slots",
    "order",
    "devices",
    "start_seconds_max",
    "env",
    "env_from",
    "grace_seconds",
    "output_bytes_max",
    "fresh_after",
    "idle_seconds",
];

/// The keys that only a warm program has.
const WARM_KEYS: [&str; 3] = ["start_seconds_max", "fresh_after", "idle_seconds"];

/// The keys that an executor without a command has too.
const KEYS_WITHOUT_COMMAND: [&str; 4] = ["name", "slots", "order", "output_bytes_max"];

/// An executor as the file says it.
pub(super) struct Declared {
    pub(super) name: String,
    /// The bytes of its name.
    pub(super) at: Range<usize>,
    /// How many jobs run at once; none where the file leaves it to the server.
    pub(super) slots: Option<usize>,
    /// The bytes of its slots.
    pub(super) slots_at: Option<Range<usize>>,
    /// The most bytes of all files of one output; none where the file leaves it to the server.
    pub(super) output_bytes_max: Option<u64>,
    /// The order of its queue; none where the file leaves it to the server.
    pub(super) order: Option<Order>,
    pub(super) maker: Maker,
}

/// What makes the outputs of an executor.
pub(super) enum Maker {
    /// What the server brings under the executor's name; where it brings nothing, workers elsewhere.
    Server,
    /// A program.
    Program(Box<Program>),
    /// A program whose command has a mistake.
    Unclear,
}

/// The program of an executor.
pub(super) struct Program {
    pub(super) settings: ProgramSettings,
    /// The bytes of each argument of the command.
    pub(super) arguments: Vec<Range<usize>>,
    /// The bytes of each name in `env_from`.
    pub(super) env_from: Vec<Range<usize>>,
}

/// Reads the executors, and notes what is wrong with each. One whose name cannot be read is left out.
pub(super) fn executors(list: &Spanned<DeValue<'_>>, notes: &mut Notes<'_>) -> Vec<Declared> {
    let Some(executors) = list.get_ref().as_array() else {
        let message = "each executor must be a table of its own, which begins with `[[executor]]`";
        notes.mistake(&list.span(), message.to_owned(), None);
        return Vec::new();
    };
    let mut declared: Vec<Declared> = Vec::new();
    for executor in executors {
        let Some(table) = executor.get_ref().as_table() else {
            notes.mistake(&executor.span(), "an executor must be a table".to_owned(), None);
            continue;
        };
        let Some(executor) = Reader::of(executor.span(), table, notes).map(Reader::declared) else {
            continue;
        };
        match declared.iter().find(|other| other.name == executor.name) {
            Some(_) => {
                notes.mistake(
                    &executor.at,
                    format!("there are two executors of the name `{}`", executor.name),
                    None,
                );
            }
            None => declared.push(executor),
        }
    }
    declared
}

/// The reader of one table.
struct Reader<'r, 't, 'd> {
    name: String,
    at: Range<usize>,
    table: &'r DeTable<'d>,
    notes: &'r mut Notes<'t>,
}

impl<'r, 't, 'd> Reader<'r, 't, 'd> {
    /// A reader of an executor; none if it has no name that can be used.
    fn of(span: Range<usize>, table: &'r DeTable<'d>, notes: &'r mut Notes<'t>) -> Option<Self> {
        let Some(name) = table.get("name") else {
            notes.mistake(&span, "an executor needs a `name`".to_owned(), None);
            return None;
        };
        let spelled = |name: &&str| {
            (1..=NAME_BYTES_MAX).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        match name.get_ref().as_str().filter(spelled) {
            Some(text) => Some(Self { name: text.to_owned(), at: name.span(), table, notes }),
            None => {
                let message = format!(
                    "the `name` of an executor must have 1 to {NAME_BYTES_MAX} letters, digits, `-` or `_`"
                );
                notes.mistake(&name.span(), message, None);
                None
            }
        }
    }

    /// Notes a mistake, with the executor's name before it.
    fn mistake(&mut self, at: &Range<usize>, message: &str, hint: Option<String>) {
        self.notes.mistake(at, format!("executor `{}`: {message}", self.name), hint);
    }

    /// Notes that a key must be something else.
    fn must(&mut self, key: &str, at: &Range<usize>, what: &str) {
        let message = format!("`{key}` must be {what}; got {}", shown(self.notes.text(), at));
        self.mistake(at, &message, None);
    }

    fn declared(mut self) -> Declared {
        let mut means_command = false;
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if !KEYS.contains(&name) {
                let meant = nearest(KEYS, name);
                means_command |= meant == Some("command");
                let message = format!("`{name}` is not a key of an executor");
                self.mistake(&key.span(), &message, did_you_mean(meant));
            }
        }
        let slots = self.number("slots", 1..=SLOTS_MAX).and_then(|slots| usize::try_from(slots).ok());
        let order = self.order();
        let maker = if self.table.contains_key("command") {
            self.program(slots).map_or(Maker::Unclear, |program| Maker::Program(Box::new(program)))
        } else if means_command {
            Maker::Unclear
        } else {
            for (key, _) in self.table {
                let name: &str = key.get_ref();
                if KEYS.contains(&name) && !KEYS_WITHOUT_COMMAND.contains(&name) {
                    let message = format!("`{name}` has a meaning only beside a `command`, which is missing");
                    let hint = "add a `command`, or take it away: it is about a program of this machine";
                    self.mistake(&key.span(), &message, Some(hint.to_owned()));
                }
            }
            Maker::Server
        };
        let slots = match &maker {
            Maker::Program(program) => Some(program.settings.slots),
            Maker::Server | Maker::Unclear => slots,
        };
        let output_bytes_max = match &maker {
            Maker::Program(program) => Some(program.settings.output_bytes_max),
            Maker::Server => self.size("output_bytes_max"),
            Maker::Unclear => None,
        };
        let slots_at = self.table.get("slots").map(Spanned::span);
        Declared { name: self.name, at: self.at, slots, slots_at, output_bytes_max, order, maker }
    }

    fn program(&mut self, slots: Option<usize>) -> Option<Program> {
        let command = self.command();
        let mut settings = ProgramSettings::new(Vec::new());
        settings.warm = self.boolean("warm").unwrap_or(settings.warm);
        settings.devices = self.devices();
        settings.slots = self.slots(slots, settings.devices.len());
        if let Some(seconds) = self.number("start_seconds_max", 1..=START_SECONDS_MAX) {
            settings.start_max = Duration::from_secs(seconds);
        }
        if let Some(seconds) = self.number("grace_seconds", 0..=GRACE_SECONDS_MAX) {
            settings.grace = Duration::from_secs(seconds);
        }
        if let Some(bytes) = self.size("output_bytes_max") {
            settings.output_bytes_max = bytes;
        }
        settings.fresh_after = self.number("fresh_after", 1..=u64::from(u32::MAX));
        settings.idle = self.number("idle_seconds", 1..=IDLE_SECONDS_MAX).map(Duration::from_secs);
        if !settings.warm {
            for name in WARM_KEYS {
                if let Some(value) = self.table.get(name) {
                    let message = format!("`{name}` has a meaning only for a warm program");
                    self.mistake(
                        &value.span(),
                        &message,
                        Some("add `warm = true`, or take it away".to_owned()),
                    );
                }
            }
        }
        settings.env = self.env(!settings.devices.is_empty());
        let env_from = self.env_from(&settings.env);
        settings.env_from = env_from.iter().map(|(name, _)| name.clone()).collect();
        let (command, arguments) = command?.into_iter().unzip();
        settings.command = command;
        Some(Program { settings, arguments, env_from: env_from.into_iter().map(|(_, at)| at).collect() })
    }

    /// The program and its arguments, each with its bytes in the file.
    fn command(&mut self) -> Option<Vec<(String, Range<usize>)>> {
        let command = self.table.get("command")?;
        if let Some(text) = command.get_ref().as_str() {
            let words: Vec<String> = text.split_whitespace().map(|word| format!("{word:?}")).collect();
            let hint = (!words.is_empty() && !text.contains(['"', '\'', '\\']))
                .then(|| format!("write `command = [{}]`", words.join(", ")));
            let message =
                "`command` must be a list of texts, the program and its arguments: no shell reads it";
            self.mistake(&command.span(), message, hint);
            return None;
        }
        let arguments = self.texts("command")?;
        match arguments.first() {
            None => {
                self.mistake(&command.span(), "`command` is empty: it must name a program", None);
                None
            }
            Some((program, at)) if program.is_empty() || program.contains('{') => {
                let at = at.clone();
                self.must("command", &at, "a list that begins with the name or the path of a program");
                None
            }
            Some(_) => Some(arguments),
        }
    }

    fn devices(&mut self) -> Vec<String> {
        let Some(devices) = self.table.get("devices") else { return Vec::new() };
        let name = |device: &Spanned<DeValue<'_>>| match device.get_ref() {
            DeValue::String(name) if !name.is_empty() => Some(name.clone().into_owned()),
            DeValue::Integer(number) if number.as_str().bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(number.as_str().to_owned())
            }
            _ => None,
        };
        let named =
            devices.get_ref().as_array().map(|devices| devices.iter().map(name).collect::<Option<Vec<_>>>());
        match named.flatten() {
            Some(names) if (1..=SLOTS_MAX).contains(&(names.len() as u64)) => names,
            _ => {
                self.must("devices", &devices.span(), "a list of devices, such as [\"0\", \"1\"]");
                Vec::new()
            }
        }
    }

    /// How many jobs run at once: as many as there are devices, or what the file says.
    fn slots(&mut self, slots: Option<usize>, devices: usize) -> usize {
        match (slots, devices) {
            (None, devices) => devices.max(1),
            (Some(slots), 0) => slots,
            (Some(slots), devices) => {
                if slots != devices {
                    let at = self.table.get("slots").map_or_else(|| self.at.clone(), Spanned::span);
                    let message = format!(
                        "`slots` is {slots} and there are {devices} devices: each slot has a device of its own"
                    );
                    let hint = "take `slots` away; name a device twice for two slots on it";
                    self.mistake(&at, &message, Some(hint.to_owned()));
                }
                slots
            }
        }
    }

    fn env(&mut self, has_devices: bool) -> BTreeMap<String, String> {
        let Some(env) = self.table.get("env") else { return BTreeMap::new() };
        let Some(table) = env.get_ref().as_table() else {
            // The value may be a secret, and is not shown.
            self.mistake(
                &env.span(),
                "`env` must be a table of texts, such as { HF_HOME = \"/models\" }",
                None,
            );
            return BTreeMap::new();
        };
        let mut variables = BTreeMap::new();
        for (name, value) in table {
            self.variable(name.get_ref(), &name.span(), has_devices);
            match value.get_ref().as_str() {
                Some(text) => drop(variables.insert(name.get_ref().clone().into_owned(), text.to_owned())),
                None => {
                    self.mistake(&value.span(), &format!("`env.{}` must be a text", name.get_ref()), None)
                }
            }
        }
        variables
    }

    fn env_from(&mut self, env: &BTreeMap<String, String>) -> Vec<(String, Range<usize>)> {
        let names = self.texts("env_from").unwrap_or_default();
        for (name, at) in &names {
            self.variable(name, at, false);
            if env.contains_key(name) {
                self.mistake(at, &format!("`{name}` stands in both `env` and `env_from`"), None);
            }
        }
        names
    }

    /// Notes a variable that cannot be set.
    fn variable(&mut self, name: &str, at: &Range<usize>, has_devices: bool) {
        let spelled = !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let why = match name {
            _ if !spelled => "cannot be the name of a variable",
            DEVICES_VARIABLE if has_devices => "is set by `devices`",
            name if name.starts_with(CONTRACT_VARIABLES) => {
                "cannot be set: variables that begin with `CLIPIA_` are the server's"
            }
            _ => return,
        };
        self.mistake(at, &format!("`{name}` {why}"), None);
    }

    fn order(&mut self) -> Option<Order> {
        let value = self.table.get("order")?;
        let order = match value.get_ref().as_str() {
            Some("turns") => Some(Order::Turns),
            Some("fifo") => Some(Order::Fifo),
            _ => None,
        };
        if order.is_none() {
            self.must("order", &value.span(), "\"turns\" or \"fifo\"");
        }
        order
    }

    fn boolean(&mut self, key: &str) -> Option<bool> {
        let value = self.table.get(key)?;
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.must(key, &value.span(), "true or false");
        }
        boolean
    }

    fn number(&mut self, key: &str, allowed: RangeInclusive<u64>) -> Option<u64> {
        let value = self.table.get(key)?;
        let number = integer(value.get_ref()).filter(|number| allowed.contains(number));
        if number.is_none() {
            let what = format!("a whole number from {} to {}", allowed.start(), allowed.end());
            self.must(key, &value.span(), &what);
        }
        number
    }

    fn size(&mut self, key: &str) -> Option<u64> {
        let value = self.table.get(key)?;
        let bytes = integer(value.get_ref()).or_else(|| value.get_ref().as_str().and_then(size::bytes));
        let bytes = bytes.filter(|bytes| (1..=OUTPUT_BYTES_LIMIT).contains(bytes));
        if bytes.is_none() {
            self.must(key, &value.span(), "a number of bytes or a size such as \"2GiB\", at most 1 TiB");
        }
        bytes
    }

    /// A list of texts, each with its bytes in the file.
    fn texts(&mut self, key: &str) -> Option<Vec<(String, Range<usize>)>> {
        let value = self.table.get(key)?;
        let Some(items) = value.get_ref().as_array() else {
            self.must(key, &value.span(), "a list of texts");
            return None;
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref().as_str() {
                Some(text) if !text.contains('\0') => texts.push((text.to_owned(), item.span())),
                _ => {
                    self.must(key, &item.span(), "a list of texts");
                    return None;
                }
            }
        }
        Some(texts)
    }
}

/// The whole number of a value, if it is one from 0.
fn integer(value: &DeValue<'_>) -> Option<u64> {
    let number = value.as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A value as it stands in the file, cut short.
fn shown(text: &str, at: &Range<usize>) -> String {
    const CHARACTERS_MAX: usize = 60;
    let value = text.get(at.clone()).unwrap_or_default();
    let mut characters = value.chars().map(|char| if char.is_control() { ' ' } else { char });
    let mut shown: String = characters.by_ref().take(CHARACTERS_MAX).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}
