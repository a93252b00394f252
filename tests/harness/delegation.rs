//! A fleet in which some are reached through others.

use std::fs;

use super::Fleet;

/// What makes a minion pass calls on to those that [`Fleet::reach`] puts below it.
pub const SUB_OVERLORD: &str = "[overlord]\ninventory = \"minions.toml\"\n";

impl Fleet {
    /// From now on the overlord reaches these alone, and each sub-overlord those below it.
    pub fn reach(&self, direct: &[&str], below: &[(&str, &[&str])]) {
        for (sub, names) in below {
            let entry = |name: &&str| {
                let minion = self.minions.iter().find(|minion| minion.name == **name).unwrap();
                format!("{name} = \"{}\"\n", minion.address)
            };
            let text: String = names.iter().map(entry).collect();
            let home = self.minions.iter().find(|minion| minion.name == *sub).unwrap().home.clone();
            fs::write(home.join("minions.toml"), format!("[hosts]\n{text}")).unwrap();
        }
        let names: Vec<String> = self.minions.iter().map(|minion| minion.name.clone()).collect();
        for name in names.iter().filter(|name| !direct.contains(&name.as_str())) {
            self.func(["hosts", "remove", name]).expect(0);
        }
    }
}
