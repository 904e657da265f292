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
    ;; room, user, id and text (pointer and length each), at, reply (present, pointer, length).
    (func (export "review")
      (param i32 i32 i32 i32 i32 i32 i32 i32 i64 i32 i32 i32) (result i32)
      (loop $for_ever (br $for_ever))
      unreachable))
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
