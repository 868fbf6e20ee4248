//! Where calls may lead, held on what is really connected to. The machine's own 127.0.0.1 stands for an address that
//! may be called and 127.0.0.2 for one that may not.

use crate::receiver::{Answer, Receiver};
use clipia_server::outbound::{Lookup, LookupError, Outbound, Target};
use reqwest::Method;
use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// Answers each lookup with the next of these.
struct Script(Mutex<VecDeque<Vec<IpAddr>>>);

#[async_trait::async_trait]
impl Lookup for Script {
    async fn lookup(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
        self.0.lock().unwrap().pop_front().ok_or_else(|| io::Error::other("looked up too often"))
    }
}

fn outbound(allow: &str, answers: &[&[&str]]) -> Outbound {
    let answers = answers.iter().map(|answer| answer.iter().map(|ip| ip.parse().unwrap()).collect());
    let script = Script(Mutex::new(answers.collect()));
    Outbound::with_lookup(Target::new(false, &[allow.parse().unwrap()]), Arc::new(script)).unwrap()
}

async fn call(outbound: &Outbound, port: u16) -> Result<reqwest::Response, reqwest::Error> {
    let url = outbound.target().parse(&format!("http://rebinding.example:{port}/")).unwrap();
    outbound.call(Method::POST, url).send().await
}

fn is_refused(error: &reqwest::Error) -> bool {
    let mut next = error.source();
    while let Some(cause) = next {
        if matches!(cause.downcast_ref(), Some(LookupError::Refused)) {
            return true;
        }
        next = cause.source();
    }
    false
}

#[tokio::test]
async fn a_name_that_changes_its_mind_gains_nothing() {
    let public = Receiver::at("127.0.0.1:0", Answer::status(200, "", "")).await;
    let private = Receiver::at(&format!("127.0.0.2:{}", public.port), Answer::status(200, "", "")).await;
    let outbound = outbound("127.0.0.1/32", &[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.2", "127.0.0.1"]]);
    assert_eq!(call(&outbound, public.port).await.unwrap().status(), 200);
    assert!(is_refused(&call(&outbound, public.port).await.unwrap_err()));
    assert_eq!(call(&outbound, public.port).await.unwrap().status(), 200);
    assert_eq!((public.calls().len(), private.calls().len()), (2, 0));
}

#[tokio::test]
async fn names_of_this_machine_are_refused_when_they_are_connected_to() {
    let receiver = Receiver::start(Answer::status(200, "", "")).await;
    let spellings: [&[&str]; 4] = [&["127.0.0.1"], &["::1"], &["::ffff:127.0.0.1"], &["0.0.0.0", "::"]];
    let outbound = outbound("10.0.0.0/8", &spellings);
    for spelling in spellings {
        assert!(is_refused(&call(&outbound, receiver.port).await.unwrap_err()), "{spelling:?}");
    }
    assert!(receiver.calls().is_empty());
}

#[tokio::test]
async fn the_systems_own_names_are_held_to_the_same_rules() {
    let receiver = Receiver::start(Answer::status(200, "", "")).await;
    let url = format!("http://localhost:{}/", receiver.port);
    let strict = Outbound::within(Target::new(false, &["10.0.0.0/8".parse().unwrap()])).unwrap();
    let refused = strict.call(Method::GET, strict.target().parse(&url).unwrap()).send().await;
    assert!(is_refused(&refused.unwrap_err()));
    let dev = Outbound::new(true).unwrap();
    assert!(dev.call(Method::GET, dev.target().parse(&url).unwrap()).send().await.is_ok());
}
