;; Never answers.
(component
  (core module $code
    (memory (export "memory") 2)
    (global $free (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    ;; room, user and text (pointer and length each), at, action, label (present, pointer, length).
    (func (export "record")
      (param i32 i32 i32 i32 i32 i32 i64 i32 i32 i32 i32) (result i32)
      (loop $for_ever (br $for_ever))
      unreachable))
  (core instance $code (instantiate $code))

  (type $action (enum "allow" "flag" "mask" "block"))
  (export $action-type "action" (type $action))
  (type $event (record
    (field "room" string) (field "user" string) (field "text" string) (field "at" u64)
    (field "action" $action-type) (field "label" (option string))))
  (export $event-type "event" (type $event))
  (type $counter (record (field "field" string) (field "amount" u32)))
  (export $counter-type "counter" (type $counter))
  (type $update (variant
    (case "add" $counter-type) (case "unique" string) (case "top" $counter-type)
    (case "minute" u32)))
  (export $update-type "update" (type $update))
  (func $record
    (param "event" $event-type) (result (result (list $update-type) (error string)))
    (canon lift (core func $code "record")
      (memory (core memory $code "memory")) (realloc (core func $code "realloc"))))
  (instance $recorder
    (export "action" (type $action-type)) (export "event" (type $event-type))
    (export "counter" (type $counter-type)) (export "update" (type $update-type))
    (export "record" (func $record)))
  (export "clustertalk:analytics/recorder@1.0.0" (instance $recorder)))
