;; Keeps the session and sends each frame back to its sender; traps on one of 100 bytes or more.
(component
  (core module $code
    (memory (export "memory") 2)
    (global $free (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    ;; 0 now, 1 id, 3 edge, 5 anonymous, 6 token (present, pointer, length), 9 session,
    ;; 11 event (0 opened, 1 frame, 2 noticed, 3 closed, 4 wake-up), 12 its text.
    (func (export "handle")
      (param i64 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
      ;; result: session, effects.
      (i32.store (i32.const 1024) (local.get 9))
      (i32.store (i32.const 1028) (local.get 10))
      (if (i32.eq (local.get 11) (i32.const 1)) (then
        (if (i32.ge_u (local.get 13) (i32.const 100)) (then unreachable))
        (i32.store (i32.const 1032) (i32.const 1048))
        (i32.store (i32.const 1036) (i32.const 1))
        ;; one effect: send (0), the text.
        (i32.store (i32.const 1056) (local.get 12))
        (i32.store (i32.const 1060) (local.get 13))))
      (i32.const 1024)))
  (core instance $code (instantiate $code))

  (type $connection (record
    (field "id" string) (field "edge" string) (field "anonymous" bool)
    (field "token" (option string))))
  (export $connection-type "connection" (type $connection))
  (type $position (record (field "seq" u64) (field "tag" string)))
  (export $position-type "position" (type $position))
  (type $close-cause (enum "peer" "host"))
  (export $close-cause-type "close-cause" (type $close-cause))
  (type $event (variant
    (case "opened") (case "frame" string) (case "noticed" string) (case "closed" $close-cause-type) (case "wake-up")))
  (export $event-type "event" (type $event))
  (type $subscription (record (field "room" string) (field "since" (option $position-type))))
  (export $subscription-type "subscription" (type $subscription))
  (type $announcement (record (field "room" string) (field "payload" string)))
  (export $announcement-type "announcement" (type $announcement))
  (type $user (record (field "id" string) (field "name" string)))
  (export $user-type "user" (type $user))
  (type $close-frame (record (field "code" u16) (field "reason" string)))
  (export $close-frame-type "close-frame" (type $close-frame))
  (type $effect (variant
    (case "send" string) (case "subscribe" $subscription-type) (case "unsubscribe" string)
    (case "announce" $announcement-type) (case "identify" $user-type) (case "wake-at" u64)
    (case "close" $close-frame-type)))
  (export $effect-type "effect" (type $effect))
  (type $outcome (record (field "session" (list u8)) (field "effects" (list $effect-type))))
  (export $outcome-type "outcome" (type $outcome))
  (func $handle
    (param "now" u64) (param "connection" $connection-type) (param "session" (list u8))
    (param "event" $event-type) (result $outcome-type)
    (canon lift (core func $code "handle")
      (memory (core memory $code "memory")) (realloc (core func $code "realloc"))))
  (instance $handler
    (export "connection" (type $connection-type)) (export "position" (type $position-type))
    (export "close-cause" (type $close-cause-type)) (export "event" (type $event-type))
    (export "subscription" (type $subscription-type))
    (export "announcement" (type $announcement-type)) (export "user" (type $user-type))
    (export "close-frame" (type $close-frame-type)) (export "effect" (type $effect-type))
    (export "outcome" (type $outcome-type)) (export "handle" (func $handle)))
  (export "clustertalk:websocket/handler@1.0.0" (instance $handler)))
