;; A module whose methods do what background jobs may do: finish, wait, talk, spin, break off.
(component
  (import "minion:host/types@0.1.0" (instance $types
    (type $kind (enum "denied" "not-found" "already-exists" "invalid" "too-large" "unsupported" "timed-out" "cancelled"
      "busy" "failed"))
    (export "error-kind" (type $error-kind (eq $kind)))
    (type $record (record (field "kind" $error-kind) (field "message" string) (field "hint" (option string))))
    (export "error" (type (eq $record)))))
  (alias export $types "error" (type $error))
  (import "minion:host/job@0.1.0" (instance $job
    (type $levels (enum "trace" "debug" "info" "warn" "error"))
    (export "level" (type $level (eq $levels)))
    (alias outer 1 $error (type $outer-error))
    (export "error" (type $job-error (eq $outer-error)))
    (export "log" (func (param "level" $level) (param "message" string) (param "fields" (list (tuple string string)))))
    (export "sleep" (func (param "ms" u64) (result (result (error $job-error)))))
    (export "progress" (func (param "done" u64) (param "total" (option u64)) (param "note" string)))))

  (core module $memory-of
    (memory (export "memory") 2)
    (global $top (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
      (global.set $top (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $m (instantiate $memory-of))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $m "realloc" (core func $realloc))
  (core func $log (canon lower (func $job "log") (memory $memory) (realloc $realloc)))
  (core func $sleep (canon lower (func $job "sleep") (memory $memory) (realloc $realloc)))
  (core func $progress (canon lower (func $job "progress") (memory $memory) (realloc $realloc)))

  (core module $code
    (import "m" "memory" (memory 2))
    (import "job" "log" (func $log (param i32 i32 i32 i32 i32)))
    (import "job" "sleep" (func $sleep (param i64 i32)))
    (import "job" "progress" (func $progress (param i64 i32 i64 i32 i32)))
    (data (i32.const 16) "in the guest")
    (data (i32.const 32) "half way")
    (func $say (param $level i32)
      (call $log (local.get $level) (i32.const 16) (i32.const 12) (i32.const 0) (i32.const 0)))
    (func (export "add") (param i64 i64) (result i64)
      (call $say (i32.const 2))
      (i64.add (local.get 0) (local.get 1)))
    (func (export "hold") (param i64) (result i64)
      (call $say (i32.const 2))
      (call $progress (i64.const 5) (i32.const 1) (i64.const 10) (i32.const 32) (i32.const 8))
      (call $sleep (local.get 0) (i32.const 1024))
      (local.get 0))
    (func (export "chatter") (param i32)
      (loop $again
        (call $say (i32.add (i32.const 2) (i32.and (local.get 0) (i32.const 1))))
        (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $again (i32.gt_s (local.get 0) (i32.const 0)))))
    (func (export "spin") (call $say (i32.const 2)) (loop $for-ever (br $for-ever)))
    (func (export "boom") (call $say (i32.const 2)) unreachable))
  (core instance $c (instantiate $code
    (with "m" (instance $m))
    (with "job" (instance
      (export "log" (func $log)) (export "sleep" (func $sleep)) (export "progress" (func $progress))))))

  (func $add (param "a" s64) (param "b" s64) (result s64) (canon lift (core func $c "add")))
  (func $hold (param "ms" u64) (result u64) (canon lift (core func $c "hold")))
  (func $chatter (param "lines" s32) (canon lift (core func $c "chatter")))
  (func $spin (canon lift (core func $c "spin")))
  (func $boom (canon lift (core func $c "boom")))
  (instance $work
    (export "add" (func $add)) (export "hold" (func $hold)) (export "chatter" (func $chatter))
    (export "spin" (func $spin)) (export "boom" (func $boom)))
  (export "test:jobs/work" (instance $work)))
