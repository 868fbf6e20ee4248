use super::*;
use std::path::PathBuf;
use std::time::Duration;

/// A machine with a few programs, files and variables.
struct Fake;

impl Machine for Fake {
    fn has_program(&self, name: &str) -> bool {
        ["python3", "sh", "sd-cli", "espeak-ng", "/usr/bin/env"].contains(&name)
    }

    fn has_variable(&self, name: &str) -> bool {
        name == "HF_TOKEN"
    }

    fn relative_file(&self, argument: &str) -> Option<PathBuf> {
        (argument == "flux.py").then(|| PathBuf::from("/opt/flux.py"))
    }
}

fn parse(text: &str) -> ModelsFile {
    let brought = Brought { executors: BTreeMap::from([("render".to_owned(), 2)]), runs_programs: true };
    ModelsFile::parse(text, &brought, &Fake)
}

fn lines(mistakes: &[Mistake]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}

/// A model of the executor `gpu`, with these lines in its executor.
fn gpu(executor: &str) -> String {
    format!(
        r#"
[[model]]
slug = "flux"
executor = "gpu"
type = "image"
pricing = {{ credits = 4 }}
[model.input_schema]
parameters = [
  {{ name = "prompt", type = "string", required = true }},
  {{ name = "seed", type = "integer", default = 0 }},
  {{ name = "style", type = "string" }},
]
[[executor]]
name = "gpu"
{executor}
"#
    )
}

#[test]
fn every_key_of_an_executor_is_read() {
    let file = parse(&gpu(r#"
command = ["python3", "/opt/flux.py", "--seed={seed}"]
warm = true
order = "fifo"
devices = ["0", 1]
start_seconds_max = 60
env = { HF_HOME = "/models" }
env_from = ["HF_TOKEN"]
grace_seconds = 3
output_bytes_max = "4GiB"
fresh_after = 50
idle_seconds = 600
[[executor]]
name = "render"
slots = 1
order = "turns"
"#));
    assert_eq!((lines(&file.mistakes), lines(&file.warnings)), (vec![], vec![]));
    let program = ProgramSettings {
        command: ["python3", "/opt/flux.py", "--seed={seed}"].map(str::to_owned).to_vec(),
        warm: true,
        slots: 2,
        devices: vec!["0".to_owned(), "1".to_owned()],
        start_max: Duration::from_secs(60),
        env: BTreeMap::from([("HF_HOME".to_owned(), "/models".to_owned())]),
        env_from: vec!["HF_TOKEN".to_owned()],
        grace: Duration::from_secs(3),
        output_bytes_max: 4 << 30,
        fresh_after: Some(50),
        idle: Some(Duration::from_secs(600)),
    };
    assert_eq!(
        file.executors["gpu"],
        ExecutorSettings {
            slots: 2,
            order: Some(Order::Fifo),
            program: Some(program),
            output_bytes_max: 4 << 30
        }
    );
    assert_eq!(
        file.executors["render"],
        ExecutorSettings { slots: 1, order: Some(Order::Turns), program: None, output_bytes_max: 2 << 30 }
    );
    assert!(file.catalogue.get("flux").is_some() && file.catalogue.get("nano-banana-2").is_some());
}

#[test]
fn an_executor_without_a_command_waits_for_workers_elsewhere() {
    let file = parse(&gpu("order = \"fifo\"\noutput_bytes_max = \"1GiB\""));
    assert!(file.mistakes.is_empty() && file.warnings.is_empty(), "{file:?}");
    let elsewhere =
        ExecutorSettings { slots: 0, order: Some(Order::Fifo), program: None, output_bytes_max: 1 << 30 };
    assert_eq!(file.executors["gpu"], elsewhere);
    // A name that is nearly that of an executor of the server is most likely not meant.
    let file = parse("[[executor]]\nname = \"rendr\"");
    let warned = file.warnings.iter().any(|warning| warning.to_string().contains("did you mean `render`?"));
    assert!(file.mistakes.is_empty() && warned, "{file:?}");
}

#[test]
fn what_is_left_out_is_as_usual() {
    let file = parse(&gpu(r#"command = ["sd-cli", "{prompt}"]"#));
    let usual = ProgramSettings::new(vec!["sd-cli".to_owned(), "{prompt}".to_owned()]);
    let usual = ExecutorSettings { slots: 1, order: None, program: Some(usual), output_bytes_max: 2 << 30 };
    assert_eq!(file.executors["gpu"], usual);
    assert_eq!(file.executors["render"].slots, 2);
    assert!(parse("").mistakes.is_empty() && parse("").catalogue.get("nano-banana-2").is_some());
}

#[test]
fn a_mistake_has_its_line_and_a_hint() {
    for (executor, mistake) in [
        (
            "comand = [\"sd-cli\"]",
            "line 15: executor `gpu`: `comand` is not a key of an executor; did you mean `command`?",
        ),
        (
            "colour = \"red\"\ncommand = [\"sd-cli\"]",
            "line 15: executor `gpu`: `colour` is not a key of an executor",
        ),
        (
            "command = \"python3 flux.py\"",
            "line 15: executor `gpu`: `command` must be a list of texts, the program and its arguments: no shell reads it; \
             write `command = [\"python3\", \"flux.py\"]`",
        ),
        (
            "command = [\"sd-cli\"]\norder = \"lifo\"",
            "line 16: executor `gpu`: `order` must be \"turns\" or \"fifo\"; got \"lifo\"",
        ),
        ("command = []", "line 15: executor `gpu`: `command` is empty: it must name a program"),
        ("command = [\"sd-cli\", 7]", "line 15: executor `gpu`: `command` must be a list of texts; got 7"),
        (
            "command = [\"{prompt}\"]",
            "line 15: executor `gpu`: `command` must be a list that begins with the name or the path of a program; \
             got \"{prompt}\"",
        ),
        (
            "command = [\"./flux\"]",
            "line 15: executor `gpu`: `./flux` is a relative path, and each job runs in a directory of its own; write the \
             whole path, or a name that is on PATH",
        ),
        (
            "command = [\n  \"sd-cli\",\n  \"{promt}\",\n]",
            "line 17: executor `gpu`: `{promt}` is neither {in}, {out} or {job} nor a parameter of a model that uses the \
             executor; did you mean `prompt`?",
        ),
        (
            "command = [\"sh\", \"-euc\", \"draw {prompt} {seed}\"]",
            "line 15: executor `gpu`: a shell would read `{prompt}` as commands, whatever a caller puts there; give it as an \
             argument: [\"sh\", \"-c\", \"… \\\"$1\\\" …\", \"-\", \"{prompt}\"]",
        ),
        (
            "command = [\"sd-cli\"]\nslots = 0",
            "line 16: executor `gpu`: `slots` must be a whole number from 1 to 1024; got 0",
        ),
        (
            "command = [\"sd-cli\"]\nslots = \"two\"",
            "line 16: executor `gpu`: `slots` must be a whole number from 1 to 1024; got \"two\"",
        ),
        (
            "command = [\"sd-cli\"]\nslots = 2\ndevices = [\"0\"]",
            "line 16: executor `gpu`: `slots` is 2 and there are 1 devices: each slot has a device of its own; take `slots` \
             away; name a device twice for two slots on it",
        ),
        (
            "command = [\"sd-cli\"]\ndevices = \"0\"",
            "line 16: executor `gpu`: `devices` must be a list of devices, such as [\"0\", \"1\"]; got \"0\"",
        ),
        ("command = [\"sd-cli\"]\nwarm = 1", "line 16: executor `gpu`: `warm` must be true or false; got 1"),
        (
            "command = [\"sd-cli\"]\nidle_seconds = 60",
            "line 16: executor `gpu`: `idle_seconds` has a meaning only for a warm program; add `warm = true`, or take it away",
        ),
        (
            "command = [\"sd-cli\"]\noutput_bytes_max = \"2 apples\"",
            "line 16: executor `gpu`: `output_bytes_max` must be a number of bytes or a size such as \"2GiB\", at most 1 TiB; got \
             \"2 apples\"",
        ),
        ("command = [\"sd-cli\"]\nenv = { A = 1 }", "line 16: executor `gpu`: `env.A` must be a text"),
        (
            "command = [\"sd-cli\"]\nenv = [\"SECRET\"]",
            "line 16: executor `gpu`: `env` must be a table of texts, such as { HF_HOME = \"/models\" }",
        ),
        (
            "command = [\"sd-cli\"]\ndevices = [0]\nenv = { CUDA_VISIBLE_DEVICES = \"1\" }",
            "line 17: executor `gpu`: `CUDA_VISIBLE_DEVICES` is set by `devices`",
        ),
        (
            "command = [\"sd-cli\"]\nenv_from = [\"CLIPIA_EVENTS\"]",
            "line 16: executor `gpu`: `CLIPIA_EVENTS` cannot be set: variables that begin with `CLIPIA_` are the server's",
        ),
        (
            "command = [\"sd-cli\"]\nenv = { HF_TOKEN = \"\" }\nenv_from = [\"HF_TOKEN\"]",
            "line 17: executor `gpu`: `HF_TOKEN` stands in both `env` and `env_from`",
        ),
        (
            "slots = 2",
            "line 15: executor `gpu`: `slots` has a meaning only beside a `command`, which is missing; add a `command`, or take it \
             away: `clipia work --executor gpu --slots N` says it",
        ),
        (
            "env = {}",
            "line 15: executor `gpu`: `env` has a meaning only beside a `command`, which is missing; add a `command`, or take it away: it is \
             about a program of this machine",
        ),
        (
            "output_bytes_max = \"much\"",
            "line 15: executor `gpu`: `output_bytes_max` must be a number of bytes or a size such as \"2GiB\", at most 1 TiB; got \
             \"much\"",
        ),
        (
            "command = [\"sd-cli\"]\n[[executor]]\nname = \"gpu\"\ncommand = [\"sd-cli\"]",
            "line 17: there are two executors of the name `gpu`",
        ),
        ("command = [\"sd-cli\"]\n[[executor]]\nslots = 1", "line 16: an executor needs a `name`"),
        (
            "command = [\"sd-cli\"]\n[[executor]]\nname = \"a gpu\"",
            "line 17: the `name` of an executor must have 1 to 64 letters, digits, `-` or `_`",
        ),
        (
            "command = [\"sd-cli\"]\n[[executor]]\nname = \"rendr\"\nslots = 2",
            "line 18: executor `rendr`: `slots` has a meaning only beside a `command`, which is missing; add a `command`, or take it \
             away: `clipia work --executor rendr --slots N` says it",
        ),
        (
            "command = [\"sd-cli\"]\n[[executor]]\nname = \"render\"\nwarm = true",
            "line 18: executor `render`: `warm` has a meaning only beside a `command`, which is missing; add a `command`, or take it away: \
             it is about a program of this machine",
        ),
        (
            "command = [\"sd-cli\"]\n[[executors]]\nname = \"cpu\"",
            "line 16: `executors` is neither `[[model]]` nor `[[executor]]`; did you mean `executor`?",
        ),
        ("command = [\"sd-cli\"", "line 15: this is not TOML: unclosed array, expected `]`"),
    ] {
        assert_eq!(lines(&parse(&gpu(executor)).mistakes), [mistake], "{executor}");
    }
}

#[test]
fn a_model_names_an_executor_that_is_there() {
    for (executor, mistake) in [
        ("gpuu", "line 4: model `flux`: there is no executor `gpuu`; did you mean `gpu`?"),
        ("magic", "line 4: model `flux`: there is no executor `magic`; there is `gpu`, `render`"),
    ] {
        let text = gpu("command = [\"sd-cli\"]").replacen(
            "executor = \"gpu\"",
            &format!("executor = \"{executor}\""),
            1,
        );
        assert_eq!(lines(&parse(&text).mistakes), [mistake]);
    }
}

#[test]
fn all_mistakes_are_found_at_once() {
    let text = gpu("command = \"sd-cli\"\nslot = 1").replace("credits = 4", "credits = -4");
    assert_eq!(
        lines(&parse(&text).mistakes),
        [
            "line 6: model `flux`: `pricing.credits` must be from 0 to 1000000000; got -4",
            "line 15: executor `gpu`: `command` must be a list of texts, the program and its arguments: no shell reads it; write \
             `command = [\"sd-cli\"]`",
            "line 16: executor `gpu`: `slot` is not a key of an executor; did you mean `slots`?",
        ]
    );
    let all = Mistakes(parse(&text).mistakes).to_string();
    assert!(all.starts_with("3 mistakes\n  line 6: model `flux`: "), "{all}");
}

#[test]
fn what_may_not_be_meant_is_a_warning() {
    for (executor, warning) in [
        ("command = [\"sd\"]", "line 15: executor `gpu`: there is no program `sd` on this machine"),
        (
            "command = [\"python3\", \"flux.py\"]",
            "line 15: executor `gpu`: `flux.py` is a relative path, and each job runs in a directory of its own; write \
             `/opt/flux.py`",
        ),
        (
            "command = [\"sd-cli\"]\nenv_from = [\"HF_TOKEN\", \"HF_TOKENS\"]",
            "line 16: executor `gpu`: the environment has no variable `HF_TOKENS`; set it before the server starts",
        ),
        (
            "command = [\"sd-cli\", \"{style}\"]",
            "line 15: executor `gpu`: `{style}` is empty where an input of model `flux` leaves it out; give the parameter `style` \
             a default, or make it required",
        ),
        (
            "command = [\"sd-cli\", \"{prompt}\"]\n[[model]]\nslug = \"free\"\nexecutor = \"gpu\"\ntype = \"image\"\n\
             pricing = { credits = 1 }\ninput_schema = { parameters = [] }",
            "line 15: executor `gpu`: model `free` has no parameter `prompt`, and `{prompt}` stays as it is",
        ),
        (
            "command = [\"sd-cli\"]\n[[executor]]\nname = \"cpu\"\ncommand = [\"sd-cli\"]",
            "line 17: executor `cpu`: no model uses it; name it in a model: `executor = \"cpu\"`",
        ),
    ] {
        let file = parse(&gpu(executor));
        assert_eq!(
            (lines(&file.mistakes), lines(&file.warnings)),
            (vec![], vec![warning.to_owned()]),
            "{executor}"
        );
    }
}

#[test]
fn a_server_without_programs_refuses_a_command() {
    let brought = Brought { executors: BTreeMap::new(), runs_programs: false };
    let file = ModelsFile::parse(&gpu("command = [\"sd-cli\"]"), &brought, &Fake);
    assert_eq!(lines(&file.mistakes), ["line 14: executor `gpu`: this server runs no programs"]);
}

#[test]
fn the_template_adds_nothing_until_its_examples_are_uncommented() {
    let file = parse(TEMPLATE);
    assert_eq!((file.mistakes, file.warnings), (vec![], vec![]));
    assert_eq!(file.catalogue, Catalogue::built_in());
    let example: String = TEMPLATE
        .lines()
        .filter_map(|line| line.strip_prefix("#: "))
        .map(|line| format!("{line}\n"))
        .collect();
    let file = parse(&example);
    assert_eq!((lines(&file.mistakes), lines(&file.warnings)), (vec![], vec![]));
    assert!(file.catalogue.get("house-style").is_some() && file.catalogue.get("speech").is_some());
    assert!(file.executors["espeak"].program.is_some());
}

#[test]
fn the_template_explains_every_key_of_an_executor() {
    for key in executor::KEYS {
        assert!(TEMPLATE.lines().any(|line| line.starts_with(&format!("#   {key} "))), "{key}");
    }
}
