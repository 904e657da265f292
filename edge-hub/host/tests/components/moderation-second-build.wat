;; Another policy: masks every message by `[SECOND BUILD]`, so that a swap can be seen.
(component
  (core module $code
    (memory (export "memory") 2)
    (data (i32.const 2048) "[SECOND BUILD]")
    (data (i32.const 2064) "test")
    (data (i32.const 2068) "second-build")
    (global $free (mut i32) (i32.const 65536))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    ;; room, user, id and text (pointer and length each), at, reply (present, pointer, length).
    (func (export "review")
      (param i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32) (result i32)
      ;; result: ok, then action, replacement, scores, rule.
      (i32.store8 (i32.const 1028) (i32.const 2))
      (i32.store8 (i32.const 1032) (i32.const 1))
      (i32.store (i32.const 1036) (i32.const 2048))
      (i32.store (i32.const 1040) (i32.const 14))
      (i32.store (i32.const 1044) (i32.const 3072))
      (i32.store (i32.const 1048) (i32.const 1))
      (i32.store (i32.const 3072) (i32.const 2064))
      (i32.store (i32.const 3076) (i32.const 4))
      (f32.store (i32.const 3080) (f32.const 1))
      (i32.store8 (i32.const 1052) (i32.const 1))
      (i32.store (i32.const 1056) (i32.const 2068))
      (i32.store (i32.const 1060) (i32.const 12))
      (i32.const 1024)))
  (core instance $code (instantiate $code))

  (type $message (record
    (field "room" string) (field "user" string) (field "id" string) (field "text" string)
    (field "at" u64) (field "reply" (option string))))
  (type $action (enum "allow" "flag" "mask" "block"))
  (type $score (record (field "label" string) (field "value" f32)))
  (export $message-type "message" (type $message))
  (export $action-type "action" (type $action))
  (export $score-type "score" (type $score))
  (type $verdict (record
    (field "action" $action-type) (field "replacement" (option string))
    (field "scores" (list $score-type)) (field "rule" (option string))
    (field "model" (option string)) (field "policy" (option string))))
  (export $verdict-type "verdict" (type $verdict))
  (func $review
    (param "message" $message-type) (result (result $verdict-type (error string)))
    (canon lift (core func $code "review")
      (memory (core memory $code "memory")) (realloc (core func $code "realloc"))))
  (instance $moderator
    (export "message" (type $message-type)) (export "action" (type $action-type))
    (export "score" (type $score-type)) (export "verdict" (type $verdict-type))
    (export "review" (func $review)))
  (export "clustertalk:moderation/moderator@1.0.0" (instance $moderator)))
