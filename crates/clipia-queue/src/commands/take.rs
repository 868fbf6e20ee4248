//! Taking deliveries that are due, as far as their hosts and their owners' shares have room.

use crate::Moment;
use crate::deliveries::{DeliveryHost, DeliveryOwner, HostRoom, StoredDelivery};
use crate::shares::{Party, Shares};
use std::collections::HashMap;
use std::time::Duration;

/// The rooms of a claim as it goes on.
#[derive(Debug)]
pub struct Taking<'a> {
    hosts: &'a [HostRoom],
    rooms: HashMap<DeliveryHost, HostRoom>,
    shares: Shares<DeliveryOwner>,
    most: u32,
    most_of_host: u32,
    taken: u32,
    postponed: Vec<DeliveryHost>,
    cleared: Vec<DeliveryHost>,
}

/// A part of a claim. It goes on until so many are taken in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// Of those that were postponed, host by host ([`Taking::wanted`]).
    Postponed(u32),
    /// Of those that are due and not postponed ([`Taking::decide`]).
    Due(u32),
}

/// The postponed deliveries of one host that may be taken, those that are due the longest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// How many at most.
    pub most: u32,
    /// Whether only those may go that an operator asked for: the host is taken for down.
    pub replays_only: bool,
}

impl Wanted {
    /// Whether a postponed delivery of the host may be taken at `now`.
    pub fn takes(&self, delivery: &StoredDelivery, now: Moment) -> bool {
        delivery.postponed && delivery.is_due(now) && (!self.replays_only || delivery.replay_at.is_some())
    }
}

/// What becomes of a delivery that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is taken.
    Take,
    /// It is postponed: its host or its owner has no room.
    Postpone,
}

/// A delivery that a sender takes at `now`, for as long as `lease`.
pub fn taken(delivery: StoredDelivery, lease: Duration, now: Moment) -> StoredDelivery {
    StoredDelivery { claimed_until: Some(now + lease), postponed: false, ..delivery }
}

/// A delivery that waits until its host and its owner have room.
pub fn postponed(delivery: StoredDelivery) -> StoredDelivery {
    StoredDelivery { postponed: true, ..delivery }
}

/// What a claim leaves of its hosts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Hosts of which deliveries were postponed. They wait until a claim has room for them.
    pub postponed: Vec<DeliveryHost>,
    /// Hosts of which no postponed delivery is left.
    pub cleared: Vec<DeliveryHost>,
}

impl<'a> Taking<'a> {
    /// A claim of `most` deliveries. `hosts` are those with less room than `most_of_host`, and those with postponed deliveries, in
    /// the order in which they are served.
    pub fn new(most: u32, most_of_host: u32, hosts: &'a [HostRoom], shares: Shares<DeliveryOwner>) -> Self {
        let rooms = hosts.iter().map(|room| (room.host.clone(), room.clone())).collect();
        Self {
            hosts,
            rooms,
            shares,
            most,
            most_of_host,
            taken: 0,
            postponed: Vec::new(),
            cleared: Vec::new(),
        }
    }

    /// The parts of the claim, in order. Half the places are for postponed deliveries: neither these nor new ones can keep the
    /// others waiting for ever.
    pub fn rounds(&self) -> [Round; 3] {
        [Round::Postponed(self.most.div_ceil(2)), Round::Due(self.most), Round::Postponed(self.most)]
    }

    /// Whether so many are taken in all.
    pub fn has(&self, most: u32) -> bool {
        self.taken >= most
    }

    /// The hosts in the order in which they are served.
    pub fn hosts(&self) -> impl Iterator<Item = &'a DeliveryHost> + use<'a> {
        self.hosts.iter().map(|room| &room.host)
    }

    /// The postponed deliveries of a host that may be taken, until `most` are taken in all; nothing where there is no room.
    pub fn wanted(&self, host: &DeliveryHost, most: u32) -> Option<Wanted> {
        let free = most.saturating_sub(self.taken);
        let room = self.rooms.get(host).filter(|room| room.waiting)?;
        let (room, replays_only) = match room.room {
            0 => (room.room_for_replays, true),
            room => (room, false),
        };
        let share = self.shares.room(&host.owner, host.owner.share());
        let most = room.min(free).min(u32::try_from(share).unwrap_or(u32::MAX));
        (most > 0).then_some(Wanted { most, replays_only })
    }

    /// So many postponed deliveries of a host were `found`. Where they are fewer than wanted, none is left.
    pub fn found(&mut self, host: &DeliveryHost, wanted: Wanted, found: usize) {
        if wanted.replays_only || found >= usize::try_from(wanted.most).unwrap_or(usize::MAX) {
            return;
        }
        if let Some(room) = self.rooms.get_mut(host) {
            room.waiting = false;
        }
        self.postponed.retain(|other| other != host);
        self.cleared.push(host.clone());
    }

    /// What becomes of a delivery to `host` that is due, by the schedule or because an operator asked for it.
    pub fn decide(&self, host: &DeliveryHost, scheduled: bool) -> Decision {
        let has_room = self.shares.has_room(&host.owner, host.owner.share())
            && match self.rooms.get(host) {
                None => true,
                // Postponed deliveries of the host have waited for longer.
                Some(room) if room.waiting && room.room > 0 => false,
                Some(room) if scheduled => room.room > 0,
                Some(room) => room.room_for_replays > 0,
            };
        if has_room { Decision::Take } else { Decision::Postpone }
    }

    /// A delivery to `host` is taken.
    pub fn take(&mut self, host: &DeliveryHost) {
        let room = self.room(host);
        // An attempt takes up room of both kinds.
        room.room = room.room.saturating_sub(1);
        room.room_for_replays = room.room_for_replays.saturating_sub(1);
        self.shares.take(host.owner.clone());
        self.taken += 1;
    }

    /// A delivery to `host` is postponed.
    pub fn postpone(&mut self, host: &DeliveryHost) {
        let room = self.room(host);
        if !std::mem::replace(&mut room.waiting, true) {
            self.cleared.retain(|other| other != host);
            self.postponed.push(host.clone());
        }
    }

    /// What the claim leaves of its hosts.
    pub fn left(self) -> Left {
        Left { postponed: self.postponed, cleared: self.cleared }
    }

    /// The room of a host: as the claim says, or else as of one that nothing is known of.
    fn room(&mut self, host: &DeliveryHost) -> &mut HostRoom {
        let most = self.most_of_host;
        self.rooms.entry(host.clone()).or_insert_with(|| HostRoom {
            host: host.clone(),
            room: most,
            room_for_replays: most,
            waiting: false,
        })
    }
}
