//! Keys that are not taken from anybody: short ones and revoked ones.

use super::*;
use crate::keys::RevocationList;

#[test]
fn what_is_too_short_is_not_learnt_and_stays_known() {
    let (old, short) = (key(), generate(KeyKind::Rsa));
    let bits = short.public().bits();
    for (knows_it, least, learnt) in [
        (false, bits, true),
        (false, bits + 1, false),
        (true, bits + 1, false),
    ] {
        let known: &[&PrivateKey] = if knows_it { &[&old, &short] } else { &[&old] };
        let judge = Knows::new(known, KeyUpdates::Always);
        let (client, server) = with_keys(judge.clone(), &old, &[&short]);
        client
            .configure(|options| options.min_rsa_bits = least)
            .unwrap();
        log_in(&client, &server);
        settle(&client);
        let kept = judge.kept();
        let added: Vec<_> = kept.iter().flat_map(|change| &change.added).collect();
        let gone: Vec<_> = kept.iter().flat_map(|change| &change.gone).collect();
        assert_eq!(added.len(), usize::from(learnt), "{knows_it} {least}");
        assert!(gone.is_empty(), "{knows_it} {least}");
    }
}

#[test]
fn what_is_revoked_is_neither_accepted_nor_learnt() {
    let (old, next, p256) = (key(), key(), generate(KeyKind::EcdsaP256));
    let revoked = |key: &PrivateKey| {
        let line = key.public().to_line("");
        Arc::new(RevocationList::load(line.as_bytes()).unwrap())
    };
    let judge = Knows::new(&[&old], KeyUpdates::Always);
    let (client, server) = with_keys(judge.clone(), &old, &[&next, &p256]);
    client
        .configure(|options| options.revoked_host_keys = vec![revoked(&next)])
        .unwrap();
    log_in(&client, &server);
    settle(&client);
    assert_eq!(judge.kept()[0].added, publics(&[&p256]));
    // Nothing that says yes to the key says yes to a revoked one.
    for how in 0..4 {
        let (client, server) = with_keys(judge.clone(), &old, &[]);
        asked_about(&client);
        client
            .configure(|options| {
                options.revoked_host_keys = vec![revoked(&p256), revoked(&old)];
                if how > 0 {
                    options.host_key_judge = None;
                }
                options.insecure_accept_any_host_key = how == 1;
                options.expected_host_key = (how == 2).then(|| old.public().clone());
            })
            .unwrap();
        server.start_server(Some(&Event::new()), TIME).unwrap();
        let outcome = client.start_client(None, TIME);
        let Err(Error::HostKey(HostKeyFault::Revoked { found, .. })) = outcome else {
            panic!("{how}: {outcome:?}")
        };
        assert_eq!(found, old.public().fingerprint());
    }
}

/// Somebody who says yes to any host key.
fn asked_about(client: &Transport) {
    client.set_callback(
        RequestKind::HostKey,
        Some(Arc::new(|request: Request| {
            let _ = request.accept();
        })),
    );
}
