//! What `smartctl -j` writes.

use func_sdk::json::Json;

use crate::exports::base::smart::smart::{Attribute, Health, SmartDevice};

/// The disks of `--scan`.
pub fn devices(json: &Json) -> Vec<SmartDevice> {
    let device = |json: &Json| {
        let path = json.text_of("name")?.to_owned();
        Some(SmartDevice { path, kind: json.text_of("type").unwrap_or("auto").to_owned() })
    };
    json.list_of("devices").iter().filter_map(device).collect()
}

/// What a disk says of itself.
pub fn health(device: &str, json: &Json) -> Health {
    let text = |name: &str| json.text_of(name).map(str::to_owned);
    let number = |path: &[&str]| json.at(path).and_then(Json::int).and_then(|number| u64::try_from(number).ok());
    let passed = match json.at(&["smart_status", "passed"]) {
        Some(Json::Bool(passed)) => Some(*passed),
        _ => None,
    };
    Health {
        device: device.to_owned(),
        model: text("model_name").or_else(|| text("scsi_model_name")),
        serial: text("serial_number"),
        firmware: text("firmware_version"),
        capacity: number(&["user_capacity", "bytes"]),
        passed,
        temperature: json.at(&["temperature", "current"]).and_then(Json::int),
        power_on_hours: number(&["power_on_time", "hours"]),
        power_cycles: number(&["power_cycle_count"]),
        used_percent: number(&["nvme_smart_health_information_log", "percentage_used"])
            .or_else(|| number(&["endurance_used", "current_percent"])),
        attributes: json
            .get("ata_smart_attributes")
            .map_or(&[][..], |table| table.list_of("table"))
            .iter()
            .filter_map(attribute)
            .collect(),
        messages: messages(json),
    }
}

/// A disk that could not be asked.
pub fn silent(device: &str, why: String) -> Health {
    Health { messages: vec![why], ..health(device, &Json::Null) }
}

fn attribute(json: &Json) -> Option<Attribute> {
    Some(Attribute {
        id: u8::try_from(json.int_of("id")?).ok()?,
        name: json.text_of("name").unwrap_or("unknown").to_owned(),
        value: json.int_of("value")?,
        worst: json.int_of("worst"),
        threshold: json.int_of("thresh"),
        raw: json.at(&["raw", "value"]).and_then(Json::int).unwrap_or(0),
        failed: json.text_of("when_failed").filter(|when| !when.is_empty()).map(str::to_owned),
    })
}

/// What the program says about asking.
pub fn messages(json: &Json) -> Vec<String> {
    let messages = json.get("smartctl").map_or(&[][..], |own| own.list_of("messages"));
    messages.iter().filter_map(|message| message.text_of("string")).map(str::to_owned).collect()
}

/// Whether the disk was left asleep.
pub fn sleeps(json: &Json) -> bool {
    messages(json).iter().any(|message| message.contains("STANDBY") || message.contains("SLEEP"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_told_with_what_it_measures() {
        let text = r#"{"json_format_version":[1,0],"smartctl":{"exit_status":0},"device":{"name":"/dev/sda","type":"sat"},
            "model_name":"ACME SSD","serial_number":"S1","firmware_version":"1.0","user_capacity":{"blocks":8,"bytes":4096},
            "smart_status":{"passed":true},"ata_smart_attributes":{"table":[{"id":5,"name":"Reallocated_Sector_Ct","value":100,
            "worst":99,"thresh":10,"when_failed":"","raw":{"value":3,"string":"3"}},{"id":300}]},
            "power_on_time":{"hours":7},"power_cycle_count":2,"temperature":{"current":31}}"#;
        let told = health("/dev/sda", &Json::parse(text).unwrap());
        assert_eq!((told.model.as_deref(), told.capacity, told.passed), (Some("ACME SSD"), Some(4096), Some(true)));
        assert_eq!((told.temperature, told.power_on_hours, told.power_cycles), (Some(31), Some(7), Some(2)));
        assert_eq!(told.attributes.len(), 1);
        assert_eq!(
            (told.attributes[0].raw, told.attributes[0].threshold, &told.attributes[0].failed),
            (3, Some(10), &None)
        );
    }

    #[test]
    fn a_disk_of_another_kind_says_less() {
        let text = r#"{"nvme_smart_health_information_log":{"percentage_used":4},"smart_status":{"passed":false}}"#;
        let told = health("/dev/nvme0", &Json::parse(text).unwrap());
        assert_eq!((told.used_percent, told.passed, told.attributes.len()), (Some(4), Some(false), 0));
        assert_eq!(silent("/dev/sdb", "gone".into()).messages, ["gone"]);
    }

    #[test]
    fn disks_and_messages_are_told() {
        let scan = r#"{"devices":[{"name":"/dev/sda","info_name":"/dev/sda","type":"scsi","protocol":"SCSI"}]}"#;
        assert_eq!(devices(&Json::parse(scan).unwrap())[0].kind, "scsi");
        let asleep =
            r#"{"smartctl":{"messages":[{"string":"Device is in STANDBY mode, exit(2)","severity":"information"}]}}"#;
        assert!(sleeps(&Json::parse(asleep).unwrap()) && !sleeps(&Json::Null));
    }
}
