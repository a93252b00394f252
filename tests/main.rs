//! What Func promises, a file a promise.

mod architecture;
mod command_line;
mod harness;
mod jobs;
mod jobs_run_once;
mod jobs_stay_bounded;
mod jobs_survive_a_restart;
mod shipped_modules_tell_the_truth;
