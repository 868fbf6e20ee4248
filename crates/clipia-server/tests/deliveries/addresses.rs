//! The addresses that may be called, checked with real connections. In these tests 127.0.0.1 is an allowed address, and
//! 127.0.0.2 is a refused one.

use crate::receiver::{Behaviour, Receiver};
use clipia_server::outbound::{Lookup, LookupError, Outbound, Target};
use reqwest::Method;
use std::collections::VecDeque;
use std::error::Error;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// A lookup that returns these lists of addresses in turn.
struct Script(Mutex<VecDeque<Vec<IpAddr>>>);

#[async_trait::async_trait]
impl Lookup for Script {
    async fn lookup(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
        self.0.lock().unwrap().pop_front().ok_or_else(|| io::Error::other("looked up too often"))
    }
}

fn outbound(allow: &str, lookups: &[&[&str]]) -> Outbound {
    let lookups = lookups.iter().map(|addresses| addresses.iter().map(|ip| ip.parse().unwrap()).collect());
    let script = Script(Mutex::new(lookups.collect()));
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
async fn a_name_that_changes_its_address_reaches_no_refused_one() {
    let public = Receiver::at("127.0.0.1:0", Behaviour::status(200, "", "")).await;
    let private = Receiver::at(&format!("127.0.0.2:{}", public.port), Behaviour::status(200, "", "")).await;
    let outbound = outbound("127.0.0.1/32", &[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.2", "127.0.0.1"]]);
    assert_eq!(call(&outbound, public.port).await.unwrap().status(), 200);
    assert!(is_refused(&call(&outbound, public.port).await.unwrap_err()));
    assert_eq!(call(&outbound, public.port).await.unwrap().status(), 200);
    assert_eq!((public.calls().len(), private.calls().len()), (2, 0));
}

#[tokio::test]
async fn names_of_this_machine_are_refused_when_the_connection_is_made() {
    let receiver = Receiver::start(Behaviour::status(200, "", "")).await;
    let spellings: [&[&str]; 4] = [&["127.0.0.1"], &["::1"], &["::ffff:127.0.0.1"], &["0.0.0.0", "::"]];
    let outbound = outbound("10.0.0.0/8", &spellings);
    for spelling in spellings {
        assert!(is_refused(&call(&outbound, receiver.port).await.unwrap_err()), "{spelling:?}");
    }
    assert!(receiver.calls().is_empty());
}

#[tokio::test]
async fn names_of_the_hosts_file_follow_the_same_rules() {
    let receiver = Receiver::start(Behaviour::status(200, "", "")).await;
    let url = format!("http://localhost:{}/", receiver.port);
    let strict = Outbound::within(Target::new(false, &["10.0.0.0/8".parse().unwrap()])).unwrap();
    let refused = strict.call(Method::GET, strict.target().parse(&url).unwrap()).send().await;
    assert!(is_refused(&refused.unwrap_err()));
    let dev = Outbound::new(true).unwrap();
    assert!(dev.call(Method::GET, dev.target().parse(&url).unwrap()).send().await.is_ok());
}
