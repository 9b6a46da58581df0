/// The thread API between JSON and domain types. List and error shapes are OpenAI's; what is in a
/// thread object is documented in docs/api.md.
#pragma once

#include "messages/error.hpp"
#include "messages/threads.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lang_agent::http {

/// The query of a list: `limit` 1 to 100 (20), `order` asc or desc, `after`; of messages also
/// `superseded` true or false.
struct list_parameters {
  std::size_t limit = 20;
  std::optional<bool> ascending = {};
  std::string after = {};
  bool superseded = false;
};

/// Unknown parameters are ignored, as OpenAI does; wrong values name the parameter.
std::variant<list_parameters, failure> decode_list_query(std::string_view query);

/// "msg_12" and back.
std::string message_id(std::uint64_t number);
std::optional<std::uint64_t> parse_message_id(std::string_view id);

/// A thread id of the API: 1 to 128 printable characters.
bool is_thread_id(std::string_view id);

/// {"id","object":"thread","created_at","updated_at","turns","messages","tokens","metadata"}, and
/// "instructions" (array of message objects) when `with_instructions`. Times in Unix seconds.
std::string encode_thread(const thread_info& x, bool with_instructions);

/// {"object":"list","data":[...],"first_id","last_id","has_more"}.
std::string encode_thread_list(const page<thread_info>& x);

/// Each {"id","object":"thread.message","created_at","superseded","tokens","message":{...}} and
/// "reasoning_content" where there is some.
std::string encode_message_list(const page<stored_message>& x);

/// {"id","object":"thread.deleted","deleted":true}.
std::string encode_thread_deleted(std::string_view id);

/// {"object":"list","data":[threads...]} of an import, in the order of the file.
std::string encode_import_result(const std::vector<thread_info>& x);

/// Body of a fork: {"id"?: new id, "up_to"?: message id}. An empty body is an empty object.
struct fork_parameters {
  std::string id = {}; ///< empty: one is made
  std::optional<std::uint64_t> up_to = {};
};
std::variant<fork_parameters, failure> decode_fork(std::string_view body);

/// Body of a PATCH: {"metadata":{name: string or null, ...}}; names up to 64 characters, values up
/// to 512, as OpenAI's. Null removes a name.
std::variant<std::map<std::string, std::optional<std::string>>, failure>
decode_metadata_changes(std::string_view body);

// -- export and import: JSON Lines
// -----------------------------------------------------------------

/// The line that a thread begins with: its thread object with instructions, and
/// "format":"lang-agent.thread/1". Times here are in milliseconds ("created_ms", "updated_ms").
/// With the line end.
std::string export_thread_line(const thread_info& x);

/// One message: as in a list, with "created_ms". With the line end.
std::string export_message_line(const stored_message& x);

/// The line that a thread ends with: {"object":"thread.end","id","messages":N}, by which an import
/// knows that nothing is missing. N counts the message lines.
std::string export_end_line(std::string_view id, std::uint64_t message_lines);

struct import_end {
  std::string id;
  std::uint64_t messages = 0; ///< lines, superseded ones included
};

/// One line of an import. Messages are checked like those of a request; `line` names it in errors
/// ("line 12: ...").
std::variant<thread_info, stored_message, import_end, failure>
decode_import_line(std::string_view text, std::size_t line);

} // namespace lang_agent::http
