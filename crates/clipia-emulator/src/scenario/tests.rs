use super::*;

#[test]
fn a_scenario_says_faults_scripts_and_accounts() {
    let scenario: Scenario = r#"
        [[fault]]
        operation = "status"
        what = "429 retry-after=2s"
        times = 5

        [[fault]]
        operation = "any"
        what = "drop"
        percent = 10
        after = 3

        [[script]]
        model = "nano-banana-2"
        prompt = "^a red"
        times = 2
        words = "@takes=10s @fail"

        [[script]]
        words = "@extra"

        [[account]]
        key = "clipia_live_poor"
        credits = 5
    "#
    .parse()
    .unwrap();
    let faults: Vec<String> = scenario.faults.iter().map(FaultRule::to_string).collect();
    assert_eq!(faults, ["status 429 retry-after=2s x5", "any drop 10% after 3"]);
    let scripts: Vec<(bool, String)> = scenario
        .scripts
        .iter()
        .map(|rule| (rule.matches("m", "a red fox"), rule.script.to_string()))
        .collect();
    assert_eq!(scripts, [(false, "@takes=10s @fail".to_owned()), (true, "@extra".to_owned())]);
    assert!(scenario.scripts[0].matches("nano-banana-2", "a red fox"));
    assert_eq!((scenario.accounts[0].key.revealed(), scenario.accounts[0].credits), ("clipia_live_poor", 5));
    assert_eq!("".parse(), Ok(Scenario::default()));
}

#[test]
fn all_mistakes_are_named_with_their_line_and_key() {
    let text = r#"
[[falt]]
[[fault]]
operation = "sttaus"
wat = "503"
times = 0
[[fault]]
what = "drpo"
[[script]]
prompt = "a("
words = "@fial"
[[script]]
times = "twice"
[[account]]
key = "clipia_live_se cret"
[[account]]
credits = -1
key = 5
"#;
    let Mistakes(mistakes) = text.parse::<Scenario>().unwrap_err();
    let mistakes: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    for (line, parts) in [
        (2, ["`falt` is neither", "did you mean `fault`?"]),
        (4, ["`fault`: `operation`", "did you mean `status`?"]),
        (5, ["there is no key `wat`", "did you mean `what`?"]),
        (6, ["`times`", "from 1 to 4294967295"]),
        (7, ["`operation` is missing", "write `operation = \"status\"`"]),
        (8, ["`fault`: `what`", "did you mean `drop`?"]),
        (10, ["`script`: `prompt`", "no regular expression: unclosed group"]),
        (11, ["`script`: `words`", "did you mean `@fail`?"]),
        (12, ["`words` is missing", "write `words = \"@fail\"`"]),
        (13, ["`times`", "whole number"]),
        (14, ["`credits` is missing", "write `credits = 5`"]),
        (15, ["`account`: `key`", "clipia_live_my_test"]),
        (17, ["`credits`", "whole number from 0"]),
        (18, ["`key`", "a text in quotes"]),
    ] {
        let start = format!("line {line}: ");
        let said: Vec<&String> = mistakes.iter().filter(|mistake| mistake.starts_with(&start)).collect();
        assert_eq!(said.len(), 1, "{line}: {mistakes:#?}");
        assert!(parts.iter().all(|part| said[0].contains(part)), "{}", said[0]);
    }
    assert_eq!(mistakes.len(), 14, "{mistakes:#?}");
    assert!(!mistakes.iter().any(|mistake| mistake.contains("se cret")), "a key may be a secret");
    let broken = "[[fault]\nwhat = 5".parse::<Scenario>().unwrap_err().to_string();
    assert!(broken.contains("line 1: this is not TOML"), "{broken}");
}
