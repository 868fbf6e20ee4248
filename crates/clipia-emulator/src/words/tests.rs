use super::*;
use crate::refusal::Refusal;
use clipia_api::error_code::ErrorCode;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::time::Duration;

fn refused(text: &str) -> String {
    parse(text).map(|(script, _)| script).unwrap_err().to_string()
}

fn failed(code: Option<&str>, why: Option<&str>) -> Script {
    let end = End::Fail { code: code.map(str::to_owned), why: why.map(str::to_owned) };
    Script { end, ..Script::default() }
}

#[test]
fn each_word_of_the_guide_is_read() {
    let usual = Script::default();
    let rejected = |refusal, times| Script { reject: Some(Reject { refusal, times }), ..Script::default() };
    let makes = |output: &[ScriptedOutput]| Script { output: output.to_vec(), ..Script::default() };
    let delivered = |deliver| Script { deliver, ..Script::default() };
    for (words, script) in [
        ("@takes=30s", Script { takes: Some(Duration::from_secs(30)), ..usual.clone() }),
        ("@takes=500ms", Script { takes: Some(Duration::from_millis(500)), ..usual.clone() }),
        ("@polls=3", Script { polls: Some(3), ..usual.clone() }),
        ("@position=12,3,0", Script { position: vec![12, 3, 0], ..usual.clone() }),
        ("@progress=10,60,60,90", Script { progress: vec![10, 60, 60, 90], ..usual.clone() }),
        ("@fail", failed(None, None)),
        ("@fail=content_policy", failed(Some("content_policy"), None)),
        ("@fail=\"too violent\"", failed(None, Some("too violent"))),
        ("@fail=content_policy:\"a \\\"b\\\" é\"", failed(Some("content_policy"), Some("a \"b\" é"))),
        ("@cancel", Script { end: End::Cancel, ..usual.clone() }),
        ("@stuck", Script { end: End::Stuck { progress: None }, ..usual.clone() }),
        ("@stuck=90", Script { end: End::Stuck { progress: Some(90) }, ..usual.clone() }),
        ("@crash=2", Script { crash: 2, ..usual.clone() }),
        ("@reject=insufficient_credits", rejected(Refusal::Code(ErrorCode::InsufficientCredits), None)),
        ("@reject=429*3", rejected(Refusal::Status(429), Some(3))),
        (
            "@output=fixtures/fox.png @output=image:2048x1024",
            makes(&[
                ScriptedOutput::File("fixtures/fox.png".to_owned()),
                ScriptedOutput::Image { width: 2048, height: 1024 },
            ]),
        ),
        ("@output=\"my fox.png\"", makes(&[ScriptedOutput::File("my fox.png".to_owned())])),
        (
            "@output=video:640x360:5s",
            makes(&[ScriptedOutput::Video { width: 640, height: 360, duration: Duration::from_secs(5) }]),
        ),
        ("@output=audio:3s", makes(&[ScriptedOutput::Audio { duration: Duration::from_secs(3) }])),
        ("@status=PAUSED", Script { status: Some("PAUSED".to_owned()), ..usual.clone() }),
        ("@extra", Script { extra: true, ..usual }),
        ("@deliver=never", delivered(Delivery { time: DeliveryTime::Never, ..Delivery::default() })),
        (
            "@deliver=twice,late:10s,rotated,unknown,slow",
            delivered(Delivery {
                twice: true,
                time: DeliveryTime::Late(Duration::from_secs(10)),
                signature: DeliverySignature::Rotated,
                body: DeliveryBody::Unknown,
                slow: true,
            }),
        ),
    ] {
        assert_eq!(parse(words), Ok((script.clone(), "")), "{words}");
        assert_eq!(parse(&format!("  {words}\t a fox ")), Ok((script.clone(), "a fox ")), "{words}");
        assert_eq!(script.to_string(), words);
    }
}

#[test]
fn what_is_no_word_at_the_start_is_the_prompt() {
    for (text, prompt) in [
        ("", ""),
        ("a red fox", "a red fox"),
        ("  a red fox @fail", "  a red fox @fail"),
        ("me@example.com @fail", "me@example.com @fail"),
        ("@@fail", "@fail"),
        ("@@@fail", "@@fail"),
        (" @@fox a portrait", "@fox a portrait"),
    ] {
        assert_eq!(parse(text), Ok((Script::default(), prompt)), "{text}");
    }
    let (script, prompt) = parse("@fail a fox @takes=30s").unwrap();
    assert_eq!((script, prompt), (failed(None, None), "a fox @takes=30s"));
    assert_eq!(parse("@fail @@fox").unwrap().1, "@fox");
}

#[test]
fn a_mistake_says_what_to_write() {
    for (text, expected) in [
        ("@fial a fox", "no word `@fial`: did you mean `@fail`?"),
        ("@Fail a fox", "did you mean `@fail`?"),
        ("@fail, a fox", "did you mean `@fail`?"),
        ("@someone waves", "a prompt that begins with `@` is written with two: `@@someone`"),
        ("@someone@example.com waves", "`@@someone@example.com`"),
        ("@ fail", "no word `@`"),
        ("@takes a fox", "`@takes` needs a value: write `@takes=30s`"),
        ("@takes=30 a fox", "`@takes=30` is not a value of `@takes`: write `@takes=30s`"),
        ("@cancel=now", "`@cancel` takes no value"),
        ("@fail=policy:too violent", "write `@fail`, `@fail=content_policy`"),
        ("@fail=\"too violent", "the quote in `@fail` does not end"),
        ("@polls=0", "a number from 1 to 10000"),
        ("@polls=+3", "a number from 1 to 10000"),
        ("@progress=10,101", "from 0 to 100"),
        ("@position=", "at most 1000 queue positions"),
        ("@stuck=101", "from 0 to 100"),
        ("@reject=insuficient_credits", "did you mean `insufficient_credits`?"),
        ("@reject=200", "a status from 400 to 599"),
        ("@reject=429*0", "how many times, from 1 to 10000"),
        ("@output=image:2048", "`@output=image:2048x2048`"),
        ("@output=image:0x8", "1 to 16384 pixels"),
        ("@output=video:8x8:0s", "`@output=video:640x360:5s`"),
        ("@output=\"\"", "`@output=fox.png`"),
        ("@status=COMPLETED", "none of the statuses of the API"),
        ("@deliver=twise", "did you mean `twice`?"),
        ("@deliver=late", "did you mean `late:10s`?"),
        ("@deliver=twice:2", "did you mean `twice`?"),
        ("@deliver=", "there is `twice`"),
        ("@deliver=forged,stale", "`forged` and `stale` exclude each other"),
        ("@deliver=never,slow", "`never` and `slow` exclude each other"),
        ("@deliver=slow,huge", "`slow` and `huge` exclude each other"),
        ("@fail @fail", "`@fail` is there twice"),
        ("@fail @cancel", "`@fail` and `@cancel` exclude each other: a request ends once"),
        ("@takes=3s @polls=3", "`@takes` and `@polls` exclude each other"),
        ("@stuck @polls=3", "a request that is stuck never ends"),
        ("@deliver=twice @stuck", "a request that is stuck never ends"),
        ("@fail @output=fox.png", "only a request that completes has an output"),
        ("@polls=2 @position=3,1", "each step needs a read"),
        ("@reject=402 @fail", "as in `@reject=429*3`"),
    ] {
        let message = refused(text);
        assert!(message.contains(expected), "{text}: {message}");
    }
    let long = refused(&format!("@{}", "x".repeat(10_000)));
    assert!(long.len() < 400, "{long}");
}

#[test]
fn a_script_alone_has_no_prompt() {
    assert_eq!(" @fail ".parse(), Ok(failed(None, None)));
    assert_eq!("".parse(), Ok(Script::default()));
    assert!("@fail a fox".parse::<Script>().unwrap_err().to_string().contains("`a fox` is not a word"));
    let script: Script = serde_json::from_str("\"@reject=429*3\"").unwrap();
    assert_eq!(serde_json::to_string(&script).unwrap(), "\"@reject=429*3\"");
}

fn durations() -> impl Strategy<Value = Duration> {
    (1..86_400_000_u64).prop_map(Duration::from_millis)
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![
        Just(End::Complete),
        Just(End::Cancel),
        option::of(0..=100_u8).prop_map(|progress| End::Stuck { progress }),
        (option::of("[a-zA-Z_.-]{1,20}"), option::of(".*")).prop_map(|(code, why)| End::Fail { code, why }),
    ]
}

fn rejects() -> impl Strategy<Value = Reject> {
    let code = (0..ErrorCode::ALL.len()).prop_map(|at| Refusal::Code(ErrorCode::ALL[at]));
    let refusal = prop_oneof![code, (400..=599_u16).prop_map(Refusal::Status)];
    (refusal, option::of(1..=10_000_u32)).prop_map(|(refusal, times)| Reject { refusal, times })
}

fn outputs() -> impl Strategy<Value = ScriptedOutput> {
    let size = || (1..=16_384_u32, 1..=16_384_u32);
    prop_oneof![
        ".+".prop_map(ScriptedOutput::File),
        size().prop_map(|(width, height)| ScriptedOutput::Image { width, height }),
        (size(), durations()).prop_map(|((width, height), duration)| ScriptedOutput::Video {
            width,
            height,
            duration
        }),
        durations().prop_map(|duration| ScriptedOutput::Audio { duration }),
    ]
}

fn deliveries() -> impl Strategy<Value = Delivery> {
    let time = prop_oneof![
        Just(DeliveryTime::AtTheEnd),
        Just(DeliveryTime::Early),
        durations().prop_map(DeliveryTime::Late),
    ];
    let signature = prop_oneof![
        Just(DeliverySignature::Good),
        Just(DeliverySignature::Forged),
        Just(DeliverySignature::Stale),
        Just(DeliverySignature::Rotated),
    ];
    let body = prop_oneof![
        Just(DeliveryBody::Good),
        Just(DeliveryBody::Unknown),
        Just(DeliveryBody::Garbage),
        Just(DeliveryBody::Huge),
    ];
    let wrong = (any::<bool>(), time, signature, body, any::<bool>()).prop_map(
        |(twice, time, signature, body, slow)| Delivery {
            twice,
            time,
            signature,
            body,
            slow: slow && body != DeliveryBody::Huge,
        },
    );
    prop_oneof![Just(Delivery { time: DeliveryTime::Never, ..Delivery::default() }), wrong]
}

/// Scripts whose words go together.
fn scripts() -> impl Strategy<Value = Script> {
    let running =
        (option::of(durations()), option::of(1..=10_000_u32), vec(any::<u16>(), 0..5), vec(0..=100_u8, 0..5));
    let shown = (option::of("X[A-Z_]{1,10}"), any::<bool>());
    let ending = (ends(), 0..=100_u32, option::of(rejects()), vec(outputs(), 0..4), deliveries());
    (running, shown, ending).prop_filter_map(
        "words that exclude each other",
        |((takes, polls, position, progress), (status, extra), (end, crash, reject, output, deliver))| {
            let position = position.into_iter().map(u32::from).collect();
            let end_has_output = end == End::Complete;
            let script = Script {
                takes: takes.filter(|_| polls.is_none()),
                polls,
                position,
                progress,
                end,
                crash,
                reject,
                output: if end_has_output { output } else { Vec::new() },
                status,
                extra,
                deliver,
            };
            script.check().is_ok().then_some(script)
        },
    )
}

proptest! {
    #[test]
    fn a_script_is_read_as_it_is_written(script in scripts(), prompt in "[^@\\s].*") {
        let words = script.to_string();
        prop_assert_eq!(words.parse(), Ok(script.clone()));
        if script == Script::default() {
            prop_assert_eq!(words, "");
        } else {
            let text = format!("{words} {prompt}");
            prop_assert_eq!(parse(&text), Ok((script, &prompt[..])));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in ".*") {
        let _ = parse(&text).map_err(|error| error.to_string());
    }

    #[test]
    fn no_words_make_the_parser_panic(
        text in "(@(takes|polls|fail|reject|output|deliver|stuck|status)?=?[0-9a-z,:*x\"\\\\ ]{0,12} ?){0,4}",
    ) {
        if let Ok((script, _)) = parse(&text) {
            prop_assert_eq!(script.to_string().parse(), Ok(script));
        }
    }
}
