use super::*;

#[tokio::test]
async fn a_task_that_dies_stops_all_and_is_named() {
    let (stop, stopped) = Stop::new();
    let mut tasks = Tasks::default();
    tasks.spawn("patient", async move {
        stopped.wait().await;
        Ok(())
    });
    tasks.spawn("frail", async { anyhow::bail!("out of luck") });
    let error = tasks.supervise(stop, std::future::pending(), Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(format!("{error:#}"), "task frail ended: out of luck");
}

#[tokio::test]
async fn shutdown_lets_tasks_finish() {
    let (stop, stopped) = Stop::new();
    let mut tasks = Tasks::default();
    tasks.spawn("patient", async move {
        stopped.wait().await;
        Ok(())
    });
    tasks.supervise(stop, async {}, Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_panic_is_a_failure_with_a_name() {
    let (stop, _stopped) = Stop::new();
    let mut tasks = Tasks::default();
    tasks.spawn_blocking("thread", || panic!("boom"));
    let error = tasks.supervise(stop, std::future::pending(), Duration::from_secs(5)).await.unwrap_err();
    assert!(format!("{error:#}").starts_with("task thread ended"), "{error:#}");
}

#[tokio::test]
async fn tasks_that_do_not_stop_are_named() {
    let (stop, stopped) = Stop::new();
    let mut tasks = Tasks::default();
    tasks.spawn("deaf", std::future::pending());
    tasks.spawn("patient", async move {
        stopped.wait().await;
        Ok(())
    });
    let error = tasks.supervise(stop, async {}, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(error.to_string(), "tasks did not stop within 0 s: deaf");
}
