#include "http/account_codec.hpp"
#include "http/json.hpp"
#include "http/thread_json.hpp"
#include "http/uri.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>

namespace lang_agent::http {

namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number out = 0;
  const auto* end = text.data() + text.size();
  const auto [stop, problem] = std::from_chars(text.data(), end, out);
  return problem == std::errc{} && stop == end ? std::optional{out} : std::nullopt;
}

/// Days since 1970-01-01 of "2026-11-23".
std::optional<std::int32_t> parse_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-')
    return std::nullopt;
  const auto year = parse_number<int>(text.substr(0, 4));
  const auto month = parse_number<unsigned>(text.substr(5, 2));
  const auto day = parse_number<unsigned>(text.substr(8, 2));
  if (!year || !month || !day)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{*month},
                                         std::chrono::day{*day}};
  if (!date.ok())
    return std::nullopt;
  return static_cast<std::int32_t>(std::chrono::sys_days{date}.time_since_epoch().count());
}

/// A cursor: the day, then tenant, key and model, percent-encoded, between slashes.
std::string cursor_of(const usage_key& x) {
  return std::to_string(x.day) + "/" + percent_encoded(x.tenant) + "/" + percent_encoded(x.key)
         + "/" + percent_encoded(x.model);
}

std::optional<usage_key> parse_cursor(std::string_view text) {
  std::array<std::string, 4> parts;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto slash = text.find('/');
    if ((slash == std::string_view::npos) != (i + 1 == parts.size()))
      return std::nullopt;
    parts[i] = percent_decoded(text.substr(0, slash));
    text.remove_prefix(slash == std::string_view::npos ? text.size() : slash + 1);
  }
  const auto day = parse_number<std::int32_t>(parts[0]);
  if (!day)
    return std::nullopt;
  return usage_key{parts[1], parts[2], parts[3], *day};
}

std::string cost_text(std::int64_t millionths) {
  std::array<char, 40> out{};
  std::snprintf(out.data(), out.size(), "%lld.%06lld",
                static_cast<long long>(millionths / 1'000'000),
                static_cast<long long>(millionths % 1'000'000));
  return out.data();
}

/// As RFC 4180 wants it. Programs take cells that begin like a formula for one: these get an
/// apostrophe in front, as OWASP advises ("CSV Injection").
std::string csv_cell(const std::string& x) {
  std::string out = "\"";
  if (!x.empty() && std::string_view{"=+-@\t\r"}.find(x.front()) != std::string_view::npos)
    out += '\'';
  for (const char c : x) {
    if (c == '"')
      out += '"';
    out += c;
  }
  return out + "\"";
}

/// What is wrong with a parameter, if it was one.
std::optional<failure> read_usage_parameter(usage_query& out, const std::string& name,
                                            std::string& value) {
  constexpr std::size_t largest_page = 10'000;
  auto& read = out.read;
  const auto date = [&](std::int32_t& day) -> std::optional<failure> {
    const auto parsed = parse_date(value);
    if (!parsed)
      return invalid_field(name, "it must be a date like 2026-11-23");
    day = *parsed;
    return std::nullopt;
  };
  if (name == "tenant") {
    read.tenant = std::move(value);
  } else if (name == "key") {
    read.key = std::move(value);
  } else if (name == "model") {
    read.model = std::move(value);
  } else if (name == "from") {
    return date(read.first_day);
  } else if (name == "to") {
    return date(read.last_day);
  } else if (name == "limit") {
    read.limit = parse_number<std::size_t>(value).value_or(0);
    if (read.limit < 1 || read.limit > largest_page)
      return invalid_field(name, "it must be an integer from 1 to " + std::to_string(largest_page));
  } else if (name == "after") {
    read.after = parse_cursor(value);
    if (!read.after)
      return invalid_field(name, "it must be the 'next' of the page before");
  } else if (name == "format") {
    if (value != "json" && value != "csv")
      return invalid_field(name, "it must be 'json' or 'csv'");
    out.csv = value == "csv";
  }
  return std::nullopt;
}

} // namespace

std::string date_text(std::int32_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%04d-%02u-%02u", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return out.data();
}

std::variant<usage_query, failure> decode_usage_query(std::string_view query, unix_ms now) {
  usage_query out;
  out.read.last_day = static_cast<std::int32_t>(now / (24 * 60 * 60 * 1000));
  out.read.limit = 1000;
  for (auto& [name, value] : query_parameters(query))
    if (auto why = read_usage_parameter(out, name, value))
      return *why;
  return out;
}

std::string encode_usage(const page<usage_row>& x) {
  std::string out = R"({"object":"list","data":[)";
  for (const auto& [key, counts] : x.data) {
    if (out.back() != '[')
      out += ',';
    out += R"({"object":"usage","day":")" + date_text(key.day) + '"';
    append_text_member(out, "tenant", key.tenant);
    append_text_member(out, "key", key.key);
    append_text_member(out, "model", key.model);
    append_member(out, "requests", std::to_string(counts.requests));
    append_member(out, "estimated_requests", std::to_string(counts.estimated));
    append_member(out, "cancelled_requests", std::to_string(counts.cancelled));
    append_member(out, "failed_requests", std::to_string(counts.failed));
    append_member(out, "prompt_tokens", std::to_string(counts.prompt_tokens));
    append_member(out, "completion_tokens", std::to_string(counts.completion_tokens));
    append_member(out, "cost", cost_text(counts.cost));
    out += '}';
  }
  out += ']';
  append_member(out, "has_more", x.has_more ? "true" : "false");
  append_member(out, "next", "null");
  if (x.has_more) {
    out.erase(out.size() - 4);
    append_json_string(out, cursor_of(x.data.back().key));
  }
  return out + "}";
}

std::string encode_usage_csv(const page<usage_row>& x, bool with_names) {
  std::string out;
  if (with_names)
    out = "day,tenant,key,model,requests,estimated_requests,cancelled_requests,failed_requests,"
          "prompt_tokens,completion_tokens,cost\r\n";
  for (const auto& [key, counts] : x.data) {
    out += date_text(key.day);
    for (const auto* name : {&key.tenant, &key.key, &key.model})
      out += "," + csv_cell(*name);
    for (const auto count : {counts.requests, counts.estimated, counts.cancelled, counts.failed,
                             counts.prompt_tokens, counts.completion_tokens})
      out += "," + std::to_string(count);
    out += "," + cost_text(counts.cost) + "\r\n";
  }
  return out;
}

std::variant<list_audit, failure> decode_audit_query(std::string_view query) {
  constexpr std::size_t largest_page = 100;
  list_audit out;
  for (auto& [name, value] : query_parameters(query)) {
    if (name == "tenant") {
      out.tenant = std::move(value);
    } else if (name == "object") {
      out.object = std::move(value);
    } else if (name == "limit") {
      out.limit = parse_number<std::size_t>(value).value_or(0);
      if (out.limit < 1 || out.limit > largest_page)
        return invalid_field(name,
                             "it must be an integer from 1 to " + std::to_string(largest_page));
    } else if (name == "after") {
      out.after = parse_number<std::uint64_t>(value).value_or(0);
      if (out.after == 0)
        return invalid_field(name, "it must be the number of an entry");
    }
  }
  return out;
}

std::string encode_audit(const page<audit_entry>& x) {
  std::string out = R"({"object":"list","data":[)";
  for (const auto& entry : x.data) {
    if (out.back() != '[')
      out += ',';
    out += R"({"number":)" + std::to_string(entry.number);
    append_text_member(out, "object", "audit_entry");
    append_member(out, "at", std::to_string(entry.at / 1000));
    append_text_member(out, "who", entry.who);
    append_text_member(out, "action", entry.action);
    append_text_member(out, "subject", entry.object);
    append_text_member(out, "tenant", entry.tenant);
    append_member(out, "detail", entry.detail.empty() ? "null" : entry.detail);
    out += '}';
  }
  out += ']';
  append_member(out, "has_more", x.has_more ? "true" : "false");
  return out + "}";
}

} // namespace lang_agent::http
