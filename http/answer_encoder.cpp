#include "http/answer_encoder.hpp"

#include "http/ids.hpp"
#include "http/json.hpp"

namespace lang_agent::http {

namespace {

void append_or_null(std::string& out, const std::string& json) {
  out += json.empty() ? "null" : json;
}

} // namespace

answer_encoder::answer_encoder(std::string id, std::int64_t created, const std::string& model,
                               bool include_usage)
    : id_(std::move(id)), created_(std::to_string(created)), include_usage_(include_usage) {
  append_json_string(model_, model);
}

std::string answer_encoder::whole(const answer& x) const {
  std::string out;
  std::size_t size = 256 + x.members.size() + x.usage.json.size();
  for (const auto& choice : x.choices)
    size += choice.message.size() + choice.logprobs.size() + 96;
  out.reserve(size);
  out += R"({"id":")" + id_ + R"(","object":"chat.completion","created":)" + created_
         + R"(,"model":)" + model_ + R"(,"choices":[)";
  bool first = true;
  for (const auto& choice : x.choices) {
    out += first ? R"({"index":)" : R"(,{"index":)";
    first = false;
    out += std::to_string(choice.index) + R"(,"message":)" + choice.message + R"(,"logprobs":)";
    append_or_null(out, choice.logprobs);
    out += R"(,"finish_reason":")" + choice.finish_reason + R"("})";
  }
  out += R"(],"usage":)" + x.usage.json + x.members + "}";
  return out;
}

void answer_encoder::open_chunk(std::string& out) const {
  out.append(R"(data: {"id":")")
      .append(id_)
      .append(R"(","object":"chat.completion.chunk","created":)")
      .append(created_)
      .append(R"(,"model":)")
      .append(model_)
      .append(R"(,"choices":[)");
}

void answer_encoder::close_chunk(std::string& out, const std::string& members) const {
  out += ']';
  out += members;
  out += include_usage_ ? ",\"usage\":null}\n\n" : "}\n\n";
}

bool answer_encoder::introduce(std::uint32_t choice) {
  return introduced_.insert(choice).second;
}

void answer_encoder::delta(std::string& out, const choice_delta& x) {
  open_chunk(out);
  out += R"({"index":)";
  out += std::to_string(x.index);
  out += R"(,"delta":{)";
  if (introduce(x.index)) {
    out += R"("role":"assistant","content":)";
    // A first delta without text is one of tool calls and the like.
    if (x.content.empty())
      out += "null";
    else
      append_json_string(out, x.content);
    if (x.members.find(R"(,"refusal":)") == std::string::npos)
      out += R"(,"refusal":null)";
    out += x.members;
  } else if (!x.content.empty()) {
    out += R"("content":)";
    append_json_string(out, x.content);
    out += x.members;
  } else if (!x.members.empty()) {
    out.append(x.members, 1);
  }
  out += R"(},"logprobs":)";
  append_or_null(out, x.logprobs);
  out += R"(,"finish_reason":null})";
  close_chunk(out, x.chunk_members);
}

void answer_encoder::finish(std::string& out, const answer& x) {
  for (const auto& choice : x.choices) {
    open_chunk(out);
    out += R"({"index":)" + std::to_string(choice.index) + R"(,"delta":{)";
    if (introduce(choice.index))
      out += R"("role":"assistant","content":"","refusal":null)";
    out += R"(},"logprobs":null,"finish_reason":")" + choice.finish_reason + R"("})";
    close_chunk(out, x.members);
  }
  if (include_usage_) {
    open_chunk(out);
    out += R"(],"usage":)" + x.usage.json + x.members + "}\n\n";
  }
  out += "data: [DONE]\n\n";
}

std::string answer_encoder::error_event(const failure& why) {
  return "data: " + encode_error(why) + "\n\n";
}

std::string make_answer_id() {
  return "chatcmpl-" + random_id(32);
}

} // namespace lang_agent::http
