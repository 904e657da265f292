//! Types and traits generated from the WIT.

wasmtime::component::bindgen!({
    world: "clustertalk:host/socket-handler",
    path: [
        "../../components/wit/moderation",
        "../../components/wit/analytics",
        "../../components/wit/websocket",
        "wit",
    ],
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "fermyon:spin/redis.connection": crate::sandbox::redis::Opened,
    },
});
