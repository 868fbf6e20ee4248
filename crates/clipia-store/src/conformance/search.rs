use super::{Fixture, NODE, NOW, fox, id_at};
use crate::{AccountId, DueOf, Failure, RequestFilter, RequestPage, Submission};
use clipia_api::types::Output;
use clipia_queue::RequestId;
use clipia_queue::lifecycle::Phase;
use clipia_queue::retention::{Keep, Part, Retention};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn saying(prompt: &str) -> Submission {
    let mut input = serde_json::Map::new();
    input.insert("prompt".to_owned(), json!(prompt));
    Submission { input, webhook_url: None, cost: clipia_queue::Credits::new(1), ..fox() }
}

impl Fixture {
    async fn index(&self) {
        while self.store.index_texts().await.unwrap() {}
    }

    async fn search(&self, words: &str, filter: RequestFilter) -> Vec<RequestId> {
        let RequestPage { requests, next } = self.store.search(words, filter, None, 100).await.unwrap();
        assert_eq!(next, None);
        requests.into_iter().map(|request| request.id).collect()
    }

    async fn find(&self, words: &str) -> Vec<RequestId> {
        self.search(words, RequestFilter::default()).await
    }
}

pub async fn requests_are_found_by_their_words(fixture: &Fixture) {
    assert_eq!(fixture.find("fox").await, []);
    let brown = fixture.submit(saying("A quick brown FOX, près du café")).await;
    let red = fixture.submit(saying("a red fox")).await;
    let none = fixture.submit(saying("")).await;
    let mut with_file = saying("a dog");
    with_file.input.insert("image_url".to_owned(), json!("data:image/png;base64,foxfoxfox fox"));
    let dog = fixture.submit(with_file).await;
    fixture.index().await;
    for (words, found) in [
        ("fox", vec![red, brown]),
        ("Fox quick", vec![brown]),
        ("fo", vec![red, brown]),
        ("fo quick", vec![]),
        ("PRES cafe", vec![brown]),
        ("a", vec![dog, red, brown]),
        ("dog fox", vec![]),
        ("a re fo", vec![]),
        ("a red fo", vec![red]),
        ("fox NOT red", vec![]),
        ("\"red\" -fox*", vec![red]),
        ("", vec![]),
        (" *", vec![]),
    ] {
        assert_eq!(fixture.find(words).await, found, "{words}");
    }
    let later = fixture.submit(saying("another fox")).await;
    fixture.index().await;
    assert_eq!(fixture.find("fox").await, [later, red, brown]);
    assert!(fixture.store.request_history(none).await.unwrap().is_some());
}

pub async fn what_is_found_comes_page_by_page_and_is_filtered(fixture: &Fixture) {
    fixture.rich().await;
    let mut ids = Vec::new();
    for n in 0..7_u32 {
        let at = NOW + n * Duration::from_secs(60);
        fixture.clock.set(at);
        let model = if n % 2 == 0 { "even" } else { "odd" }.to_owned();
        ids.push(fixture.submit(Submission { id: id_at(at), model, ..saying(&format!("fox {n}")) }).await);
    }
    // One whose id was made before those that are in the index.
    fixture.index().await;
    let late = Submission { id: id_at(NOW + Duration::from_secs(150)), ..saying("a late fox") };
    let late = fixture.submit(late).await;
    ids.insert(3, late);
    // A store may look for those that came late less often than for new ones.
    fixture.clock.advance(Duration::from_secs(30));
    fixture.index().await;
    ids.reverse();
    let (mut found, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = fixture.store.search("fox", RequestFilter::default(), after, 3).await.unwrap();
        found.extend(page.requests.iter().map(|request| request.id));
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((&found, pages), (&ids, 3));
    let all = RequestFilter::default();
    let model = Some("even".to_owned());
    assert_eq!(
        fixture.search("fox", RequestFilter { model, ..all.clone() }).await,
        [ids[0], ids[2], ids[5], ids[7]]
    );
    let claim = fixture.claim().await;
    let running = RequestFilter { phase: Some(Phase::Running), ..all.clone() };
    assert_eq!(fixture.search("fox", running.clone()).await, [claim.id]);
    assert_eq!(fixture.search("wolf", running).await, []);
    let account = Some(AccountId("acct_nobody".to_owned()));
    assert_eq!(fixture.search("fox", RequestFilter { account, ..all.clone() }).await, []);
    let key = Some("key_1".to_owned());
    assert_eq!(fixture.search("fox", RequestFilter { key, ..all.clone() }).await.len(), 8);
    let since = fixture.store.list_requests(all.clone(), None, 3).await.unwrap().requests[2].created_at;
    let mut found = fixture.search("fox", RequestFilter { since: Some(since), ..all }).await;
    // It was accepted later than its id says.
    found.retain(|id| *id != late);
    assert_eq!(found, ids[..3]);
}

pub async fn a_request_that_failed_is_found_by_its_error(fixture: &Fixture) {
    let failed = fixture.submit(saying("a fox")).await;
    fixture.index().await;
    let claim = fixture.claim().await;
    let why = Failure { code: "gpu".to_owned(), message: "out of memory (137)".to_owned() };
    fixture.store.fail(failed, claim.epoch, why.clone()).await.unwrap();
    // This one fails before its text is taken into the index.
    let next = fixture.submit(saying("a wolf")).await;
    let claim = fixture.claim().await;
    fixture.store.fail(next, claim.epoch, why.clone()).await.unwrap();
    fixture.index().await;
    assert_eq!(fixture.find("memory").await, [next, failed]);
    assert_eq!(fixture.find("137 fox").await, [failed]);
    assert_eq!(fixture.find("fox").await, [failed]);
}

pub async fn a_text_goes_with_its_input_and_with_its_request(fixture: &Fixture) {
    let (first, second) = (fixture.submit(saying("a fox")).await, fixture.submit(saying("a fox runs")).await);
    fixture.index().await;
    let claims = fixture.store.claim("render", NODE, 1).await.unwrap();
    fixture.store.complete(first, claims[0].epoch, Output::default()).await.unwrap();
    fixture.clock.set(NOW + 3 * DAY);
    let day = Keep::days(1);
    let retention = Retention::new(day, day, day, day);
    let let_go = async |part: Part| {
        let horizon = retention.horizon(part, fixture.store.now()).unwrap();
        let due = fixture.store.due(part, horizon, DueOf::These(vec![first, second])).await.unwrap().due;
        fixture.store.let_go(part, horizon, due).await.unwrap()
    };
    assert_eq!(let_go(Part::Media).await, [first]);
    assert_eq!(fixture.find("fox").await, [second, first]);
    assert_eq!(let_go(Part::Input).await, [first]);
    assert_eq!(fixture.find("fox").await, [second]);
    fixture.index().await;
    assert_eq!(fixture.find("fox").await, [second]);
    fixture.store.cancel(second).await.unwrap();
    fixture.clock.set(NOW + 6 * DAY);
    assert_eq!(let_go(Part::Request).await, [first, second]);
    fixture.index().await;
    assert_eq!(fixture.find("fox").await, []);
}

pub async fn whatever_is_searched_for_there_is_a_page(fixture: &Fixture) {
    fixture.rich().await;
    let mut random = StdRng::seed_from_u64(7);
    let signs = [
        "\"",
        "'",
        "*",
        "(",
        ")",
        " OR ",
        " NOT ",
        " NEAR(",
        "^",
        "-",
        ":",
        "\\",
        "&",
        "|",
        "!",
        "<->",
        "\0",
        "fox",
        "fo",
        "é",
        "e\u{301}",
        "東京",
        "İ",
        "ß",
        "\u{301}",
        "\u{200d}",
        "\u{1f98a}",
        "ﬁ",
        "١",
        "\u{903}",
        "Ⅷ",
        "\u{10ffff}",
        " ",
        "\n",
    ];
    let mut text = || {
        let length = random.random_range(0..12);
        (0..length)
            .map(|_| match random.random_range(0..4) {
                0 => random.random::<char>().to_string(),
                _ => signs[random.random_range(0..signs.len())].to_owned(),
            })
            .collect::<String>()
    };
    let mut texts = Vec::new();
    for _ in 0..60 {
        let text = text();
        // Neither store keeps this character in a text.
        texts.push((fixture.submit(saying(&text.replace('\0', " "))).await, text));
    }
    fixture.index().await;
    for (id, text) in &texts {
        let found = fixture.find(text).await;
        let has_words = crate::texts::Asked::of(text).is_some();
        assert_eq!(found.contains(id), has_words, "{text:?}");
    }
    for _ in 0..200 {
        let text = text();
        fixture.store.search(&text, RequestFilter::default(), None, 3).await.unwrap();
    }
}
