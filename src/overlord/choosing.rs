//! Whom a call means: the hosts that are known, the map of those behind others, groups and facts.

use std::{collections::BTreeSet, time::Duration};

use tokio::runtime::{Handle, RuntimeFlavor};

use super::{Error, Overlord};
use crate::{
    ca::{Host, Inventory},
    fleet::{
        Asking, FleetMap, GroupName, Groups, KnownDown, KnownFacts, Members, Selection, Selector, delegated_first,
    },
    ids::HostName,
    wire::Facts,
};

impl Overlord {
    /// Every known minion: those of the inventory, and those that the map shows behind them.
    pub fn hosts(&self) -> Result<Vec<Host>, Error> {
        self.hosts_by(&self.map()?)
    }

    fn hosts_by(&self, map: &FleetMap) -> Result<Vec<Host>, Error> {
        let inventory = Inventory::load(&self.config().inventory)?;
        let mut hosts = inventory.hosts();
        hosts.extend(map.routed(&inventory));
        hosts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(hosts)
    }

    /// Who is reached through whom, as it was found last.
    pub fn map(&self) -> Result<FleetMap, Error> {
        Ok(FleetMap::load(&self.config().map)?)
    }

    /// Asks every minion of the inventory, and those behind them, whom they pass calls on to, and keeps the answers. Answers
    /// who was on the map before and is no more, too.
    pub async fn build_map(&self, time: Duration) -> Result<(FleetMap, BTreeSet<HostName>), Error> {
        let hosts = Inventory::load(&self.config().inventory)?.hosts();
        // One that cannot be used is made anew.
        let before = self.map().unwrap_or_default();
        let map = self.fleet()?.survey(hosts, &before, time).await;
        map.save(&self.config().map)?;
        let gone = map.gone_since(&before);
        Ok((map, gone))
    }

    /// Freezes the set of hosts that a selector chooses.
    pub fn select(&self, selector: &Selector) -> Result<Selection, Error> {
        self.select_asking(selector, Asking::Stale)
    }

    /// The same by what is known, for whoever only looks: no source of groups is asked, so no program is run.
    pub fn select_as_known(&self, selector: &Selector) -> Result<Selection, Error> {
        self.select_asking(selector, Asking::Nobody)
    }

    fn select_asking(&self, selector: &Selector, asking: Asking<'_>) -> Result<Selection, Error> {
        let map = self.map()?;
        let hosts = self.hosts_by(&map)?;
        if hosts.is_empty() && !selector.allow_unknown {
            let path = self.config().inventory.clone();
            return Err(Error::NoMinions { missing: !path.exists(), path });
        }
        let members = self.members_for(&hosts, selector, asking)?;
        selector.check(&members)?;
        let down = KnownDown::load(&self.config().known_down)?;
        let mut selection = selector.select(&hosts, &members, &down)?;
        delegated_first(&mut selection.hosts, |host| host);
        let unknown = map.unknown();
        selection.unmapped = selection.names().into_iter().filter(|name| unknown.contains(name)).collect();
        Ok(selection)
    }

    /// Who is in each group that a selector may mean, and what is known of hosts, if it is about that.
    pub fn members(&self, selector: &Selector) -> Result<Members, Error> {
        self.members_for(&self.hosts()?, selector, Asking::Stale)
    }

    fn members_for(&self, hosts: &[Host], selector: &Selector, asking: Asking<'_>) -> Result<Members, Error> {
        let facts = |groups: Option<&Groups>| {
            let about = selector.has_facts() || groups.is_some_and(Groups::has_facts);
            if about { self.known_facts() } else { Ok(KnownFacts::default()) }
        };
        if !selector.has_groups() {
            return Ok(Members::without_groups(facts(None)?));
        }
        let groups = self.groups_asking(asking)?;
        Ok(groups.resolve(hosts, facts(Some(&groups))?)?)
    }

    /// What hosts have said of themselves when they were asked last.
    pub fn known_facts(&self) -> Result<KnownFacts, Error> {
        Ok(KnownFacts::load(&self.config().facts)?)
    }

    /// Keeps what hosts have said of themselves now.
    pub fn keep_facts(&self, told: Vec<(HostName, Facts)>) -> Result<(), Error> {
        let known: Vec<HostName> = self.hosts()?.into_iter().map(|host| host.name).collect();
        Ok(KnownFacts::update(&self.config().facts, told, &known)?)
    }

    /// Every group. Sources of groups whose answer is old are asked, and waited for.
    pub fn groups(&self) -> Result<Groups, Error> {
        self.groups_asking(Asking::Stale)
    }

    /// The same, and these sources are asked whatever is known of them; all if none are named.
    pub fn refresh_groups(&self, sources: &[GroupName]) -> Result<Groups, Error> {
        self.groups_asking(Asking::These(sources))
    }

    fn groups_asking(&self, asking: Asking<'_>) -> Result<Groups, Error> {
        let groups = Groups::load(&self.config().groups)?;
        let ask = || groups.with_sources(&self.config().told_groups, asking);
        // Where others share the thread, they go on elsewhere meanwhile.
        let shared = Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread);
        Ok(if shared { tokio::task::block_in_place(ask) } else { ask() }?)
    }
}
