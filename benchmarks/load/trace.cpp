#include "benchmarks/load/trace.hpp"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>
#include <istream>
#include <stdexcept>

namespace lang_agent::load {

namespace {

using value = rapidjson::Value;

std::string text_of(const value& x) {
  return {x.GetString(), x.GetStringLength()};
}

void expect(bool condition, const std::string& problem) {
  if (!condition)
    throw std::runtime_error{problem};
}

void take_member(trace_entry& out, const std::string& name, const value& x) {
  if (name == "at") {
    expect(x.IsNumber() && x.GetDouble() >= 0,
           "\"at\" must be seconds since the start, such as 1.5");
    out.at = x.GetDouble();
  } else if (name == "thread") {
    expect(x.IsString() || x.IsInt64(), "\"thread\" must be a text or an integer");
    out.thread = x.IsString() ? text_of(x) : std::to_string(x.GetInt64());
  } else if (name == "prompt") {
    expect(x.IsString(), "\"prompt\" must be a text");
    out.prompt = text_of(x);
  } else if (name == "prompt_words") {
    expect(x.IsUint() && x.GetUint() <= 1'000'000, "\"prompt_words\" must be a number of words");
    out.prompt_words = x.GetUint();
  } else if (name == "max_tokens") {
    expect(x.IsUint() && x.GetUint() > 0, "\"max_tokens\" must be a number of tokens");
    out.max_tokens = x.GetUint();
  } else if (name == "stream") {
    expect(x.IsBool(), "\"stream\" must be true or false");
    out.stream = x.GetBool();
  } else if (name == "tenant") {
    expect(x.IsString(), "\"tenant\" must be a name given with --tenant");
    out.tenant = text_of(x);
  } else {
    throw std::runtime_error{
        "\"" + name
        + "\" is none of at, thread, prompt, prompt_words, max_tokens, stream, "
          "tenant"};
  }
}

trace_entry read_line(const std::string& line) {
  rapidjson::Document document;
  document.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
  expect(!document.HasParseError(),
         std::string{"is no JSON: "} + rapidjson::GetParseError_En(document.GetParseError()));
  expect(document.IsObject(), "must be a JSON object");
  expect(document.HasMember("at"), "\"at\" is missing: seconds since the start");
  trace_entry out;
  for (const auto& [name, x] : document.GetObject())
    take_member(out, text_of(name), x);
  return out;
}

} // namespace

std::vector<trace_entry> read_trace(std::istream& in, const std::string& name) {
  std::vector<trace_entry> out;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    try {
      out.push_back(read_line(line));
    } catch (const std::runtime_error& e) {
      throw std::runtime_error{name + ":" + std::to_string(number) + ": " + e.what()};
    }
  }
  if (out.empty())
    throw std::runtime_error{name + " has no requests"};
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  return out;
}

} // namespace lang_agent::load
