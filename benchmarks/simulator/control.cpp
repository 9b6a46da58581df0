#include "benchmarks/simulator/control.hpp"

#include "config/loader.hpp"
#include "http/json.hpp"
#include "http/uri.hpp"

#include <charconv>

namespace lang_agent::simulator {

namespace {

constexpr std::string_view prefix = "/simulator/";
constexpr std::string_view lines_type = "application/x-ndjson";

std::string answer(const request& asked, int status, std::string_view body) {
  return whole_answer(status, json_type, body, asked.keep_alive);
}

std::string refuse(const request& asked, int status, std::string_view why) {
  return answer(asked, status, error_body(why, "invalid_request_error"));
}

std::string not_allowed(const request& asked, std::string_view allowed) {
  return whole_answer(
      405, json_type,
      error_body("This path allows " + std::string{allowed} + ".", "invalid_request_error"),
      asked.keep_alive, "allow: " + std::string{allowed} + "\r\n");
}

std::string model_json(const model_settings& x) {
  std::string out = R"({"names":[)";
  for (const auto& name : x.names) {
    out += out.back() == '[' ? "" : ",";
    http::append_json_string(out, name);
  }
  out += R"(],"first_token_delay":)";
  http::append_json_string(out, x.first_token_delay.text());
  out += R"(,"token_interval":)";
  http::append_json_string(out, x.token_interval.text());
  out += R"(,"length":)";
  http::append_json_string(out, x.length.text());
  return out + R"(,"slots":)" + std::to_string(x.slots) + "}";
}

std::string faults(simulation& all, const request& asked) {
  if (asked.method == "PUT")
    all.replace_faults(parse_faults(asked.body, "faults"));
  else if (asked.method != "GET")
    return not_allowed(asked, "GET, PUT");
  return answer(asked, 200, all.faults_json());
}

std::string model(simulation& all, const request& asked) {
  if (asked.method == "PUT")
    all.replace_model(parse_model(asked.body, "model"));
  else if (asked.method != "GET")
    return not_allowed(asked, "GET, PUT");
  return answer(asked, 200, model_json(*all.model()));
}

std::string log(const simulation& all, const request& asked) {
  std::uint64_t first = 0;
  for (const auto& [name, value] : http::query_parameters(asked.query)) {
    const auto* end = value.data() + value.size();
    if (name != "since" || std::from_chars(value.data(), end, first).ptr != end || value.empty())
      return refuse(asked, 400, "The query is since=N, with the number of a request.");
  }
  return whole_answer(200, lines_type, all.lines_since(first), asked.keep_alive);
}

} // namespace

bool is_control(const request& asked) {
  return asked.path.starts_with(prefix);
}

std::string control(simulation& all, const request& asked) {
  const auto name = std::string_view{asked.path}.substr(prefix.size());
  try {
    if (name == "faults")
      return faults(all, asked);
    if (name == "model")
      return model(all, asked);
    if (name != "state" && name != "log")
      return refuse(asked, 404, "There are faults, model, state and log under /simulator.");
    if (asked.method != "GET")
      return not_allowed(asked, "GET");
    return name == "state" ? answer(asked, 200, all.state_json()) : log(all, asked);
  } catch (const config_error& e) {
    return refuse(asked, 400, e.what());
  }
}

std::string list_models(const simulation& all, const request& asked) {
  std::string out = R"({"object":"list","data":[)";
  for (const auto& name : all.model()->names) {
    out += out.back() == '[' ? R"({"id":)" : R"(,{"id":)";
    http::append_json_string(out, name);
    out += R"(,"object":"model","created":1700000000,"owned_by":"simulator"})";
  }
  return answer(asked, 200, out + "]}");
}

} // namespace lang_agent::simulator
