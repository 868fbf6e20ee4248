use super::*;
use crate::CallerKey;
use serde_json::json;

const NOW: Moment = Moment::from_micros(1_000_000);

fn submit(key: &str, idempotency_key: Option<&str>, prompt: &str) -> Submit {
    let key: CallerKey = format!("clipia_live_{key}").parse().unwrap();
    Submit::new(Some(key.hash()), idempotency_key, "m", prompt)
}

fn rule(json: Value) -> ScriptRule {
    serde_json::from_value(json).unwrap()
}

fn words(text: &str) -> Script {
    text.parse().unwrap()
}

#[test]
fn the_prompt_goes_before_added_rules_and_these_before_the_scenario() {
    let scripts = Scripts::new(vec![rule(json!({"words": "@polls=2"}))]);
    let number = scripts.add(rule(json!({"prompt": "fox", "times": 1, "words": "@fail"})));
    let mut count = 0;
    let mut chosen = |in_prompt: &str, prompt: &str| {
        count += 1;
        let submit = submit("a", Some(&count.to_string()), prompt);
        scripts.choose(&submit, "m", words(in_prompt), prompt).to_string()
    };
    assert_eq!(chosen("@cancel", "a fox"), "@cancel");
    assert_eq!(chosen("", "a fox"), "@fail");
    assert_eq!(chosen("", "a fox"), "@polls=2");
    assert_eq!(
        scripts.rules().iter().map(|rule| (rule.number, rule.used)).collect::<Vec<_>>(),
        [(1, 1), (0, 1)]
    );
    assert!(scripts.remove(number) && !scripts.remove(number));
    scripts.reset();
    assert_eq!(scripts.rules().iter().map(|rule| rule.used).collect::<Vec<_>>(), [0]);
}

#[test]
fn a_repeated_submit_has_the_script_of_the_first_one() {
    let scripts = Scripts::new(vec![rule(json!({"times": 1, "words": "@fail"}))]);
    let choose = |submit: &Submit| scripts.choose(submit, "m", Script::default(), "a fox").to_string();
    for (submit, expected) in [
        (submit("a", Some("1"), "a fox"), "@fail"),
        (submit("a", Some("1"), "a fox"), "@fail"),
        (submit("a", Some("2"), "a fox"), ""),
        (submit("b", Some("1"), "a fox"), ""),
        (submit("a", None, "a fox"), ""),
    ] {
        assert_eq!(choose(&submit), expected);
    }
}

#[test]
fn a_rule_is_for_so_many_requests_and_not_for_submits_that_made_none() {
    let of_scenario = vec![rule(json!({"times": 1, "words": "@cancel"}))];
    let scripts = Arc::new(Scripts::new(of_scenario));
    scripts.add(rule(json!({"times": 1, "words": "@fail"})));
    let choose = |submit: &Submit| scripts.choose(submit, "m", Script::default(), "a fox");
    let submits = ["1", "2", "3"].map(|key| submit("a", Some(key), "a fox"));
    assert_eq!([0, 1, 2].map(|at| choose(&submits[at]).to_string()), ["@fail", "@cancel", ""]);
    // A fault refused all of them.
    submits.iter().for_each(|submit| scripts.forget(submit));
    assert_eq!(scripts.rules().iter().map(|rule| rule.used).collect::<Vec<_>>(), [0, 0]);
    let script = choose(&submits[2]);
    scripts.learn(RequestId::generate(), &submits[2], &script, NOW);
    // It made a request, so that a later fault of a repeat changes nothing.
    scripts.forget(&submits[2]);
    assert_eq!([2, 1, 0].map(|at| choose(&submits[at]).to_string()), ["@fail", "@cancel", ""]);
}

#[test]
fn a_rule_that_refuses_has_done_what_it_says() {
    let scripts = Scripts::new(vec![rule(json!({"times": 1, "words": "@reject=429"}))]);
    let submit = submit("a", Some("1"), "a fox");
    let _ = scripts.choose(&submit, "m", Script::default(), "a fox");
    assert!(scripts.refuse(&submit).is_some());
    scripts.forget(&submit);
    assert_eq!(scripts.rules()[0].used, 1);
}

#[test]
fn a_submit_is_refused_as_often_as_its_script_says() {
    let scripts = Scripts::new(Vec::new());
    for idempotency_key in [Some("1"), None] {
        let submit = submit("a", idempotency_key, "a fox");
        let refused = || {
            let script = scripts.choose(&submit, "m", words("@reject=429*2"), "a fox");
            (scripts.refuse(&submit).is_some(), script)
        };
        assert!(refused().0 && refused().0);
        let (is_refused, script) = refused();
        assert!(!is_refused);
        scripts.learn(RequestId::generate(), &submit, &script, NOW);
        // A repeat with the idempotency key asks for the same request; without one, it is a new submit.
        assert_eq!(refused().0, idempotency_key.is_none());
    }
    let always = submit("a", Some("3"), "a fox");
    for _ in 0..10 {
        scripts.choose(&always, "m", words("@reject=402"), "a fox");
        assert!(scripts.refuse(&always).is_some());
    }
}

#[tokio::test]
async fn an_executor_learns_the_script_once_its_submit_has_a_response() {
    let scripts = Arc::new(Scripts::new(Vec::new()));
    let (submit, id) = (submit("a", Some("1"), "a fox"), RequestId::generate());
    let input = json!({"prompt": "@cancel a fox"});
    let input = input.as_object().unwrap();

    // Nothing is under way: the request is one of an earlier run.
    assert_eq!(scripts.of(id, input).await.to_string(), "@cancel");

    let under_way = scripts.submit_begins();
    let asked = scripts.of(id, input);
    let mut asked = std::pin::pin!(asked);
    assert!(futures_util::poll!(asked.as_mut()).is_pending());
    let script = scripts.choose(&submit, "m", words("@fail"), "a fox");
    scripts.learn(id, &submit, &script, NOW);
    assert_eq!(asked.await.to_string(), "@fail");
    drop(under_way);

    let under_way = scripts.submit_begins();
    let asked = scripts.of(RequestId::generate(), input);
    let mut asked = std::pin::pin!(asked);
    assert!(futures_util::poll!(asked.as_mut()).is_pending());
    drop(under_way);
    assert_eq!(asked.await.to_string(), "@cancel");
}

#[tokio::test]
async fn an_executor_waits_for_the_reads() {
    let scripts = Arc::new(Scripts::new(Vec::new()));
    let (submit, id) = (submit("a", Some("1"), "a fox"), RequestId::generate());
    let script = scripts.choose(&submit, "m", words("@polls=3"), "a fox");
    scripts.learn(id, &submit, &script, NOW);
    let enough = scripts.polled_enough(id);
    let mut enough = std::pin::pin!(enough);
    for step in [Step::Queued(0), Step::Running(50)] {
        assert!(futures_util::poll!(enough.as_mut()).is_pending());
        assert_eq!(scripts.read(id, NOW), Read::Scripted(Arc::clone(&script), Some(step)));
    }
    enough.await;
    assert_eq!(scripts.read(id, NOW), Read::End);
    // A repeated submit does not begin anew.
    scripts.learn(id, &submit, &script, NOW);
    assert_eq!(scripts.read(id, NOW), Read::End);

    let other = RequestId::generate();
    scripts.polled_enough(other).await;
    assert_eq!(scripts.read(other, NOW), Read::AsItIs);
}
