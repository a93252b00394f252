//! What Func promises, a file a promise.

#![allow(
    unreachable_pub,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and nothing outside uses it"
)]

mod a_batch_survives_any_kill;
mod a_batch_survives_any_kill_of_the_daemon;
mod a_call_goes_in_batches;
mod a_call_that_cannot_succeed_is_not_sent;
mod a_call_to_many_hosts_is_confirmed;
mod a_cancelled_job_is_gone;
mod a_call_needs_a_rule;
mod a_check_changes_nothing;
mod a_crash_at_any_point_loses_no_job;
mod a_damaged_store_is_told_of;
mod a_deadline_is_kept_without_the_overlord;
mod a_finished_job_needs_no_minion;
mod a_full_queue_is_survived;
mod a_job_is_cancelled_everywhere;
mod a_job_id_belongs_to_one_caller_and_one_call;
mod a_job_moves_through_its_states;
mod a_path_that_blocks_holds_up_nobody_else;
mod a_job_is_listened_to;
mod a_large_fleet_is_called_and_counted;
mod a_module_is_begun_and_tried_out;
mod a_revoked_certificate_is_refused;
mod a_simulated_fleet_answers_like_a_real_one;
mod answers_are_shown_as_they_are_wanted;
mod an_overlord_renews_itself;
mod architecture;
mod bad_requests_get_clear_answers;
mod built_in_methods_answer_whatever_they_are_given;
mod calls_go_through_others;
mod client;
mod command_line;
mod commands_answer_the_same_beside_a_daemon;
mod commands_share_a_store;
mod ctrl_c_leaves_a_job_to_itself;
mod every_call_is_written_down;
mod every_type_travels;
mod doctor_finds_what_is_wrong;
mod files_are_copied_and_fetched;
mod files_go_through_others;
mod fuzz;
mod fifty_modules_are_replaced_under_a_thousand_calls;
mod grants_are_given_while_a_minion_runs;
mod harness;
mod hosts_are_chosen_by_groups_and_expressions;
mod hosts_are_chosen_by_their_facts;
mod jobs;
mod jobs_are_looked_at;
mod jobs_have_groups_of_their_own;
mod jobs_outlive_what_breaks;
mod jobs_run_once;
mod jobs_stay_bounded;
mod jobs_survive_a_restart;
mod modules_are_pushed;
mod modules_are_replaced_while_they_run;
mod modules_in_other_languages;
mod modules_pass_their_cases;
mod modules_test_their_own_logic;
mod nobody_behind_others_is_left_out;
mod nothing_is_granted_by_default;
mod nothing_runs_twice;
mod one_bad_host_costs_its_own_time;
mod only_signed_modules_load;
mod only_those_who_belong;
mod programs_drive_a_fleet_through_the_daemon;
mod programs_tell_groups;
mod python_drives_a_minion;
mod refuse_strangers;
mod rogue_modules_do_no_harm;
mod modules_are_built_from_a_crate;
mod schedules_are_kept;
mod secrets_stay_secret;
mod security_claims_are_shown;
mod shipped_modules_tell_the_truth;
mod the_audit_log_is_a_chain;
mod the_authority_is_replaced;
mod the_authority_s_key_is_sealed;
mod the_command_line_is_written_down;
mod the_daemon_answers_those_who_may_command;
mod the_demo_shows_what_it_says;
mod the_interface_is_documented;
mod the_interface_only_grows;
mod the_library_is_listed;
mod the_library_tells_the_truth;
mod the_readme_is_true;
mod the_unit_is_sound;
mod what_a_module_hoards_is_bounded;
mod what_is_typed_in_secret_is_not_shown;
mod certificates_go_through_others;
mod openssl_reads_what_is_issued;
mod workers_stay_behind_their_fences;
mod workers_wait_for_jobs;
mod the_daemon_stays_behind_its_fences;
mod what_programs_leave_behind_is_reaped;
mod transfers_go_on_where_they_stopped;
