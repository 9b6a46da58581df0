#include "benchmarks/load/request_writer.hpp"

#include "http/json.hpp"

#include <rapidjson/document.h>

#include <algorithm>
#include <array>

namespace lang_agent::load {

namespace {

constexpr std::array<std::string_view, 32> vocabulary{
    "answer", "bridge",  "carry", "delta",  "early",  "field",   "garden", "harbour",
    "island", "journey", "known", "letter", "market", "north",   "ocean",  "paper",
    "quiet",  "river",   "stone", "table",  "under",  "village", "water",  "yellow",
    "after",  "before",  "cloud", "door",   "every",  "forest",  "green",  "house"};

constexpr std::uint64_t threads_per_run = 10'000'000;

/// Below 2^53, so that every language reads its threads' ids as they are.
std::uint64_t first_thread_of(std::string_view run) {
  std::uint64_t hash = 0;
  for (const char c : run)
    hash = simulator::scatter(hash ^ static_cast<unsigned char>(c));
  return (hash % 900'000'000) * threads_per_run;
}

bool is_authorization(const std::pair<std::string, std::string>& header) {
  static constexpr std::string_view name = "authorization";
  return std::equal(header.first.begin(), header.first.end(), name.begin(), name.end(),
                    [](char a, char b) { return (a | 0x20) == b; });
}

void append_message(std::string& out, std::string_view role, std::string_view content) {
  if (!out.empty() && out.back() == '}')
    out += ',';
  out += R"({"role":")";
  out += role;
  out += R"(","content":)";
  http::append_json_string(out, content);
  out += '}';
}

} // namespace

std::string make_words(std::uint64_t count, simulator::random_source& random) {
  std::string out;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i > 0)
      out += ' ';
    out += vocabulary[static_cast<std::size_t>(random.next() * vocabulary.size())];
  }
  return out;
}

std::optional<std::string> members_of(const std::string& json) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(json.data(), json.size());
  if (document.HasParseError() || !document.IsObject())
    return std::nullopt;
  const auto begin = json.find('{') + 1;
  return document.ObjectEmpty() ? "" : json.substr(begin, json.rfind('}') - begin);
}

request_writer::request_writer(const load_plan& plan, const base_url& to, std::string run)
    : plan_(plan), run_(std::move(run)), first_thread_(first_thread_of(run_)) {
  const bool own_authorization =
      std::any_of(plan.headers.begin(), plan.headers.end(), is_authorization);
  for (const auto& who : plan.tenants) {
    auto& head = heads_.emplace_back("POST " + to.path
                                     + "/chat/completions HTTP/1.1\r\nHost: " + to.authority
                                     + "\r\nUser-Agent: lang-agent-bench\r\n"
                                       "Content-Type: application/json\r\n");
    if (!who.key.empty() && !own_authorization)
      head += "Authorization: Bearer " + who.key + "\r\n";
    for (const auto& [name, value] : plan.headers)
      head += name + ": " + value + "\r\n";
  }
}

std::string request_writer::prompt(const session& from, std::string_view words) const {
  auto out = to_text({run_, from.number, from.turns});
  if (!words.empty())
    out.append(1, ' ').append(words);
  return out;
}

std::string request_writer::request(const session& from, const turn& asked) const {
  const auto content = body(from, asked);
  auto out = heads_[from.tenant];
  out += asked.stream ? "Accept: text/event-stream\r\n" : "Accept: application/json\r\n";
  out += "Content-Length: " + std::to_string(content.size()) + "\r\n\r\n";
  return out += content;
}

std::string request_writer::body(const session& from, const turn& asked) const {
  std::string messages = from.history;
  append_message(messages, "user", asked.prompt);
  std::string out = R"({"model":)";
  http::append_json_string(out, plan_.model);
  out += R"(,"messages":[)" + messages + ']';
  if (asked.stream)
    out += plan_.ask_usage ? R"(,"stream":true,"stream_options":{"include_usage":true})"
                           : R"(,"stream":true)";
  if (asked.max_tokens)
    out += R"(,"max_tokens":)" + std::to_string(*asked.max_tokens);
  if (plan_.history == history_kind::server) {
    out += ',';
    http::append_json_string(out, plan_.thread_field);
    out += ':' + std::to_string(first_thread_ + from.number);
  }
  if (!plan_.extra_body.empty())
    out += ',' + plan_.extra_body;
  return out += '}';
}

void request_writer::remember(session& of, const turn& asked, std::string_view answered) {
  append_message(of.history, "user", asked.prompt);
  append_message(of.history, "assistant", answered);
}

} // namespace lang_agent::load
