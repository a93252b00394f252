//! Tells how healthy disks are.

mod report;

use exports::base::smart::smart::{Guest, Health, SmartDevice};
use func_sdk::{
    Error, Result, checked,
    command::Status,
    json::Json,
    program::{Program, judge, lossy, untold},
};

func_sdk::module!(Smart);

/// The exit code is a set of bits. These two say that the command line was wrong or that the disk could not be opened; the
/// others say something about the disk.
const NOT_ASKED: i32 = 0b11;

struct Smart;

impl Guest for Smart {
    fn devices() -> Result<Vec<SmartDevice>> {
        Ok(report::devices(&smartctl(&["-j", "--scan"])?))
    }

    fn info(device: String) -> Result<Health> {
        let device = checked::path("device", &device)?;
        if !device.starts_with("/dev/") {
            return Err(Error::invalid(format!("the device {} is not in /dev", checked::shown(device))));
        }
        ask(device, None)
    }

    fn all() -> Result<Vec<Health>> {
        let health = |device: SmartDevice| {
            ask(&device.path, Some(&device.kind)).unwrap_or_else(|error| report::silent(&device.path, error.message))
        };
        Ok(Self::devices()?.into_iter().map(health).collect())
    }
}

fn ask(device: &str, kind: Option<&str>) -> Result<Health> {
    let mut args = vec!["-j", "-i", "-H", "-A", "-n", "standby"];
    if let Some(kind) = kind {
        args.extend(["-d", kind]);
    }
    args.push(device);
    Ok(report::health(device, &smartctl(&args)?))
}

fn smartctl(args: &[&str]) -> Result<Json> {
    let output = Program::new("smartctl").args(args.iter().copied()).run()?;
    let Status::Exited(code) = output.status else { return judge("smartctl", output).map(|_| Json::Null) };
    let json = Json::written("smartctl", &untold("smartctl", lossy(output.stdout.clone()))?);
    // A disk that sleeps ends it with the same code as one that cannot be opened.
    let sleeps = json.as_ref().is_ok_and(report::sleeps);
    if code & NOT_ASKED != 0 && !sleeps {
        return Err(match json.ok().and_then(|json| report::messages(&json).pop()) {
            Some(message) => {
                Error::failed(format!("`smartctl` exited with {code}: {}", checked::clipped(&message, 300)))
            }
            None => judge("smartctl", output).err().unwrap_or_else(|| Error::failed("`smartctl` did not say why")),
        });
    }
    json
}
