//! Lists, makes and undoes mounts.

mod fstab;

use exports::base::mount::mount::{Change, Guest, Mounted, Planned};
use func_sdk::{Error, ErrorKind, Result, checked, file, mountinfo, program::Program};

func_sdk::module!(Mount);

const MOUNTS: &str = "/proc/self/mountinfo";
const TABLE: &str = "/etc/fstab";

struct Mount;

impl Guest for Mount {
    fn list(kind: Option<String>) -> Result<Vec<Mounted>> {
        let mut mounts = mounted()?;
        mounts.retain(|mount| kind.as_ref().is_none_or(|kind| mount.kind == *kind));
        Ok(mounts)
    }

    fn table() -> Result<Vec<Planned>> {
        let mounts = mounted()?;
        let text = file::optional(TABLE)?.unwrap_or_default();
        let is_mounted = |point: &str| mounts.iter().any(|mount| mount.point == point);
        let planned = |line: fstab::Line| Planned {
            is_mounted: is_mounted(&line.point),
            device: line.device,
            point: line.point,
            kind: line.kind,
            options: line.options,
        };
        Ok(fstab::parse(&text).into_iter().map(planned).collect())
    }

    fn mount(
        point: String,
        device: Option<String>,
        kind: Option<String>,
        options: Option<Vec<String>>,
    ) -> Result<Change> {
        let point = fstab::plain(checked::path("mount point", &point)?);
        if let Some(device) = &device {
            checked::argument("device", device)?;
        }
        if let Some(kind) = &kind {
            checked::word("kind of file system", kind, "._-")?;
        }
        let options = options.unwrap_or_default();
        for option in &options {
            check_option(option)?;
        }
        let before = mounted_on(&point)?;
        if let Some(mounted) = &before {
            return if device.as_ref().is_none_or(|device| mounted.device == *device) {
                Ok(Change { after: before.clone(), before, changed: false })
            } else {
                let message = format!("{} is mounted on {}", checked::shown(&mounted.device), checked::shown(&point));
                Err(Error::new(ErrorKind::Busy, message).hint("unmount it first, with `mount.umount`"))
            };
        }
        if device.is_none()
            && !fstab::parse(&file::optional(TABLE)?.unwrap_or_default()).iter().any(|l| l.point == point)
        {
            return Err(Error::not_found(format!("{TABLE} does not say what to mount on {}", checked::shown(&point)))
                .hint("give the device"));
        }
        let mut program = Program::new("mount");
        if let Some(kind) = kind {
            program = program.args(["-t", &kind]);
        }
        if !options.is_empty() {
            program = program.args(["-o", &options.join(",")]);
        }
        program.args(device).arg(&point).change()?;
        changed(&point, before)
    }

    fn umount(point: String, lazy: Option<bool>) -> Result<Change> {
        let point = fstab::plain(checked::path("mount point", &point)?);
        if point == "/" {
            return Err(Error::invalid("the root is not unmounted"));
        }
        let before = mounted_on(&point)?;
        if before.is_none() {
            return Ok(Change { before: None, after: None, changed: false });
        }
        let program = Program::new("umount");
        let program = if lazy.unwrap_or(false) { program.arg("-l") } else { program };
        program.arg(&point).change()?;
        changed(&point, before)
    }
}

fn changed(point: &str, before: Option<Mounted>) -> Result<Change> {
    Ok(Change { before, after: mounted_on(point)?, changed: true })
}

fn mounted() -> Result<Vec<Mounted>> {
    let told = |mount: mountinfo::Mount| Mounted {
        point: mount.point,
        device: mount.device,
        kind: mount.kind,
        root: mount.root,
        options: mount.options,
        file_system_options: mount.file_system_options,
    };
    Ok(mountinfo::parse(&file::text(MOUNTS)?).into_iter().map(told).collect())
}

/// The last mount on a directory.
fn mounted_on(point: &str) -> Result<Option<Mounted>> {
    Ok(mounted()?.into_iter().rfind(|mount| mount.point == point))
}

/// One option: options are joined by commas, so none has one in it.
fn check_option(option: &str) -> Result<()> {
    checked::argument("mount option", option)?;
    if option.contains(',') {
        return Err(Error::invalid(format!("the mount option {} has a comma in it", checked::shown(option)))
            .hint("give each option by itself"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_one_option() {
        assert!(check_option("noexec").is_ok() && check_option("size=1k").is_ok());
        for option in ["", "ro,suid", "-x", "a\nb"] {
            assert!(check_option(option).is_err(), "{option:?}");
        }
    }
}
