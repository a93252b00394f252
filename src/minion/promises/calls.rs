//! Who calls what, and what comes back.

use super::*;

#[tokio::test]
async fn one_connection_carries_many_calls() {
    let stand = Stand::start().await;
    let mut boss = stand.boss().await;
    assert_eq!(call(&mut boss, "test.ping", vec![]).await, Value::Int(1));
    assert_eq!(call(&mut boss, "base:test/test.add", vec![1.into(), "2".into()]).await, Value::Int(3));
    assert_eq!(call(&mut boss, "system.ping", vec![]).await, Value::Int(1));
    let methods = call(&mut boss, "system.listMethods", vec![]).await;
    let Value::Array(methods) = methods else { panic!("{methods:?}") };
    for name in ["jobs.wait", "system.multicall", "test.add"] {
        assert!(methods.contains(&name.into()), "{name}");
    }
    assert_eq!(
        call(&mut boss, "system.methodSignature", vec!["test.add".into()]).await.to_json().to_string(),
        r#"[["int","int","int"]]"#
    );
    let args = call(&mut boss, "test.get_method_args", vec![]).await.to_json();
    assert_eq!(args["add"]["args"]["b"]["type"], "int");
    assert_eq!(args["add"]["returns"], "s64");
    assert_eq!((&args["add"]["read_only"], &args["ping"]["read_only"]), (&false.into(), &true.into()));
    stand.stop().await;
}

#[tokio::test]
async fn mistakes_are_answered_with_what_was_probably_meant() {
    let stand = Stand::start().await;
    let boss = &mut stand.boss().await;
    let (kind, message) = error(boss, "test.pign", vec![]).await;
    assert_eq!(
        (kind.as_str(), message.as_str()),
        ("NoSuchMethod", "there is no method `test.pign`; did you mean `ping`?")
    );
    let (kind, message) = error(boss, "tset.ping", vec![]).await;
    assert_eq!((kind.as_str(), message.as_str()), ("NoSuchModule", "there is no module `tset`; did you mean `test`?"));
    let (_, message) = error(boss, "system.listMethod", vec![]).await;
    assert!(message.contains("did you mean `system.listMethods`"), "{message}");
    let (kind, message) = error(boss, "test.add", vec![1.into()]).await;
    assert_eq!((kind.as_str(), message.as_str()), ("InvalidArguments", "test.add: takes 2 arguments, not 1"));
    let (kind, _) = error(boss, "async.system.ping", vec![]).await;
    assert_eq!(kind, "NotCallable");
    let (kind, _) = error(boss, "no name at all", vec![]).await;
    assert_eq!(kind, "NoSuchMethod");
    stand.stop().await;
}

#[tokio::test]
async fn only_overlords_may_call_and_others_are_told_so() {
    let stand = Stand::start().await;
    for role in [Role::Minion, Role::Reader] {
        let mut sender = stand.connect(role, "web1").await;
        let (response, answer) = send(&mut sender, request(vec![b'x'; 100_000])).await;
        let Answer::Fault(fault) = answer else { panic!("{answer:?}") };
        assert!(fault.message.contains("nothing in this minion's policy lets it call"), "{fault}");
        assert_eq!((response.status(), &response.headers()["connection"]), (StatusCode::OK, &"close".parse().unwrap()));
    }
    stand.stop().await;
}

#[tokio::test]
async fn a_job_is_submitted_once_and_waited_for() {
    let stand = Stand::start().await;
    let boss = &mut stand.boss().await;
    let id = MinionJobId::fresh();
    let submit = || {
        let mut request = request(encode_call(&Call::new("async.test.add", vec![1.into(), 2.into()])));
        request.headers_mut().insert(header::JOB_ID, id.as_str().parse().unwrap());
        request
    };
    for _ in 0..2 {
        assert_eq!(send(boss, submit()).await.1, Answer::Value(id.as_str().into()));
    }
    let done = Value::Array(vec![1.into(), 3.into()]);
    assert_eq!(call(boss, "jobs.wait", vec![id.as_str().into(), 30.into()]).await, done);
    assert_eq!(call(boss, "jobs.job_status", vec![id.as_str().into()]).await, done);
    let unknown = Value::Array(vec![2.into(), 0.into()]);
    assert_eq!(call(boss, "jobs.job_status", vec!["1700000000-minion".into()]).await, unknown);
    let other = &mut stand.connect(Role::Overlord, "web2").await;
    assert_eq!(call(other, "jobs.job_status", vec![id.as_str().into()]).await, unknown, "another host");
    let (kind, _) = error(boss, "async.test.add", vec![]).await;
    assert_eq!(kind, "InvalidArguments");
    stand.stop().await;
}

#[tokio::test]
async fn many_calls_travel_in_one_request() {
    let stand = Stand::start().await;
    let one = |method: &str, params: Vec<Value>| {
        Value::structure([("methodName", Value::from(method)), ("params", Value::Array(params))])
    };
    let calls = vec![
        one("test.add", vec![1.into(), 2.into()]),
        one("system.multicall", vec![]),
        one("test.module_description", vec![]),
    ];
    let answers = call(&mut stand.boss().await, "system.multicall", vec![Value::Array(calls)]).await.to_json();
    assert_eq!(answers[0], serde_json::json!([3]));
    assert_eq!(answers[1]["faultCode"], 1);
    assert!(answers[2][0].as_str().unwrap().contains("simulated"));
    stand.stop().await;
}

#[tokio::test]
async fn a_name_that_is_not_simulated_gets_no_connection() {
    let stand = Stand::start().await;
    stand.tls(&stand.identity(Role::Overlord), "web3").await.unwrap_err();
    stand.stop().await;
}

#[tokio::test]
async fn a_simulated_fleet_serves_plugins_of_a_folder() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("modules");
    let cache = home.path().join("cache");
    let stand = Stand::with(|fleet| fleet.plugins = Some(sim::SimPlugins { folder, cache })).await;
    let boss = &mut stand.boss().await;
    assert_eq!(call(boss, "system.list_modules", vec![]).await, Value::Array(vec![]));
    let (kind, message) = error(boss, "test.ping", vec![]).await;
    assert_eq!((kind.as_str(), message.contains("no modules are loaded")), ("NoSuchModule", true), "{message}");
    stand.stop().await;
}
