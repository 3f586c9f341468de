use super::*;

#[test]
fn ids_are_unique_bounded_and_free_again() {
    let clients = Arc::new(Clients::default());
    let first = clients.admit(2).expect("room");
    let second = clients.admit(2).expect("room");
    assert!(first.id >= FIRST_CLIENT_ID && first.id != second.id);
    assert!(clients.admit(2).is_none());
    first.set_backend(7);
    assert_eq!((clients.backend_of(first.id), clients.backend_of(second.id)), (Some(7), None));
    let gone = first.id;
    drop(first);
    assert_eq!((clients.backend_of(gone), clients.count()), (None, 1));
    assert_eq!(clients.ask_all_to_leave(), 1);
    assert!(second.is_leaving());
}

#[test]
fn an_accounts_clients_are_victims_together() {
    let clients = Arc::new(Clients::default());
    let [one, two, other, dead] = [(); 4].map(|()| clients.admit(4).expect("room"));
    for (client, user) in [(&one, b"a"), (&two, b"a"), (&other, b"b"), (&dead, b"a")] {
        client.become_user(user, None).expect("no limit");
    }
    dead.set_killed();
    let victims = clients.victims_of(b"a");
    let mut ids: Vec<_> = victims.iter().map(Victim::id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [one.id, two.id]);
    assert!(one.is_being_killed() && !other.is_being_killed());
    drop(victims);
    assert!(!one.is_being_killed() && !two.is_being_killed());
}

#[test]
fn only_a_client_that_is_waited_for_too_long_is_overdue() {
    let clients = Arc::new(Clients::default());
    let [busy, waiting, moved] = [(); 3].map(|()| clients.admit(3).expect("room"));
    let tell = |seconds| clients.note_time(Duration::from_secs(seconds), Some(Duration::from_secs(5)));
    tell(10);
    waiting.await_client();
    moved.await_client();
    tell(14);
    moved.client_moved();
    moved.await_client();
    tell(15);
    let overdue = || [&busy, &waiting, &moved].map(|client| client.is_overdue());
    assert_eq!(overdue(), [false, true, false]);
    tell(19);
    assert_eq!(overdue(), [false, true, true]);
}

#[test]
fn an_alarm_rings_at_its_time_and_not_before() {
    let clients = Arc::new(Clients::default());
    let [late, early, none] = [(); 3].map(|()| clients.admit(3).expect("room"));
    let tell = |seconds| clients.note_time(Duration::from_secs(seconds), None);
    let have_rung = || [&late, &early, &none].map(|client| client.has_rung());
    late.set_alarm(60_000);
    tell(1);
    early.set_alarm(7_000);
    for (seconds, rung) in [(6, [false; 3]), (8, [false, true, false]), (59, [false, true, false])] {
        tell(seconds);
        assert_eq!(have_rung(), rung, "{seconds} s");
    }
    early.set_alarm(65_000);
    late.stop_alarm();
    tell(61);
    assert_eq!(have_rung(), [false; 3]);
    tell(70);
    assert_eq!(have_rung(), [false, true, false]);
}

#[tokio::test]
async fn while_nobody_moves_nobody_is_told_the_time_and_alarms_ring_all_the_same() {
    let clients = Arc::new(Clients::default());
    let [client, other] = [(); 2].map(|()| clients.admit(2).expect("room"));
    let telling = tokio::spawn({
        let clients = Arc::clone(&clients);
        async move { clients.tell_time(|| (Duration::from_millis(5), Some(Duration::from_secs(3600)))).await }
    });
    let sleeps = async || {
        while !clients.clock.is_asleep() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    sleeps().await;
    let before = client.exact();
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert!(clients.clock.is_asleep());
    // Whoever asks first has the true time.
    assert!(client.now() >= before + 30);
    client.set_alarm(client.exact() + 20);
    other.await_client();
    sleeps().await;
    while !client.has_rung() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(!other.is_overdue());
    telling.abort();
}

#[tokio::test]
async fn an_alarm_that_is_set_while_the_teller_sleeps_rings_in_time() {
    let clients = Arc::new(Clients::default());
    let client = clients.admit(1).expect("room");
    let telling = tokio::spawn({
        let clients = Arc::clone(&clients);
        async move { clients.tell_time(|| (Duration::from_millis(5), None)).await }
    });
    while !clients.clock.is_asleep() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let began = client.exact();
    client.set_alarm(began + 20);
    while !client.has_rung() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Long before the teller would have looked by itself.
    assert!(client.exact() - began < 30_000);
    telling.abort();
}
