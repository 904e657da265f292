//! The hub as a component: the core, fed through its WIT and performing what it can itself.
//!
//! Two exports. `clustertalk:websocket/handler` takes one event of one WebSocket; a fresh instance
//! each time, so nothing here outlives a call. `wasi:http/incoming-handler` serves the HTTP API.
//! The steps are those of the run loop in the docs of `clustertalk_core`.

mod from_wit;
mod http;
mod perform;
mod settings;
mod to_wit;

mod bindings {
    wit_bindgen::generate!({
        path: [
            "../../components/wit/moderation",
            "../../components/wit/analytics",
            "../../components/wit/websocket",
        ],
        inline: "
            package clustertalk:hub@1.0.0;

            world hub {
                import clustertalk:moderation/moderator@1.0.0;
                import clustertalk:analytics/recorder@1.0.0;
                export clustertalk:websocket/handler@1.0.0;
            }
        ",
        world: "clustertalk:hub/hub",
        generate_all,
    });
}

use bindings::exports::clustertalk::websocket::handler::{
    Connection, Effect, Event, Guest, Outcome,
};
use clustertalk_core::hub::Hub;
use clustertalk_core::time::Timestamp;

struct Component;

bindings::export!(Component with_types_in bindings);

impl Guest for Component {
    fn handle(now: u64, connection: Connection, session: Vec<u8>, event: Event) -> Outcome {
        let settings = match settings::read() {
            Ok(settings) => settings,
            Err(error) => match event {
                // After a trap here the host clears the presence itself.
                Event::Closed(_) => panic!("{error}"),
                _ => {
                    let effects = to_wit::misconfigured(&error).into();
                    return Outcome { session, effects };
                }
            },
        };
        let Some(event) = from_wit::event(event) else {
            return Outcome {
                session,
                effects: Vec::new(),
            };
        };
        let connection = from_wit::connection(connection);
        // 1. Restore.
        let seed = settings::seed();
        let mut hub = match Hub::restore(&settings.hub, connection.clone(), &session, seed) {
            Ok(hub) => hub,
            Err(_) => {
                let effects = vec![to_wit::close(
                    clustertalk_core::protocol::CloseCode::SessionUnknown,
                )];
                return Outcome { session, effects };
            }
        };
        // 2. to 4. Feed the event, drain the effects, perform what can be performed here.
        let at = Timestamp::from_millis(now);
        let effects = perform::run(&mut hub, &settings, &connection, at, event);
        // 5. The session bytes go back with the effects.
        Outcome {
            session: hub.session(),
            effects: effects
                .into_iter()
                .map(to_wit::effect)
                .collect::<Vec<Effect>>(),
        }
    }
}
