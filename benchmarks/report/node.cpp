#include "benchmarks/report/node.hpp"

#include "benchmarks/report/format.hpp"

#include <rapidjson/error/en.h>

#include <algorithm>

namespace lang_agent::report {

node node::operator[](const char* name) const {
  const auto path = path_.empty() ? name : path_ + "." + name;
  if (!value_)
    return {nullptr, path, *label_};
  if (!value_->IsObject())
    fail("must be an object");
  const auto i = value_->FindMember(name);
  return {i == value_->MemberEnd() ? nullptr : &i->value, path, *label_};
}

node node::at(unsigned index) const {
  if (value_ && !value_->IsArray())
    fail("must be an array");
  const auto* element = value_ && index < value_->Size() ? &(*value_)[index] : nullptr;
  return {element, path_ + "[" + std::to_string(index) + "]", *label_};
}

std::optional<double> node::number() const {
  if (!value_)
    return {};
  if (!value_->IsNumber())
    fail("must be a number");
  return value_->GetDouble();
}

double node::count() const {
  const auto x = number().value_or(0);
  if (x < 0)
    fail("must not be negative");
  return x;
}

std::optional<int> node::integer() const {
  if (!value_)
    return {};
  if (!value_->IsInt())
    fail("must be a whole number");
  return value_->GetInt();
}

std::string node::text() const {
  if (!value_)
    return {};
  if (!value_->IsString())
    fail("must be a string");
  return {value_->GetString(), value_->GetStringLength()};
}

bool node::flag() const {
  if (value_ && !value_->IsBool())
    fail("must be true or false");
  return value_ && value_->GetBool();
}

void node::for_each(const std::function<void(const node&)>& f) const {
  if (!value_)
    return;
  if (!value_->IsArray())
    fail("must be an array");
  for (unsigned i = 0; i < value_->Size(); ++i)
    f(at(i));
}

void node::for_each_member(const std::function<void(const std::string&, const node&)>& f) const {
  if (!value_)
    return;
  if (!value_->IsObject())
    fail("must be an object");
  for (const auto& x : value_->GetObject()) {
    const std::string name{x.name.GetString(), x.name.GetStringLength()};
    f(name, node{&x.value, path_ + "." + printable(name), *label_});
  }
}

void node::fail(const std::string& problem) const {
  throw std::runtime_error{*label_ + " is no result of lang-agent bench: "
                           + (path_.empty() ? "it" : path_) + " " + problem
                           + "; give a file that lang-agent bench wrote with --json"};
}

node_document::node_document(std::string_view json, std::string label) : label_{printable(label)} {
  document_.Parse<rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag>(
      json.data(), json.size());
  if (document_.HasParseError()) {
    const auto line = 1 + std::count(json.data(), json.data() + document_.GetErrorOffset(), '\n');
    root().fail("is no JSON, line " + std::to_string(line) + ": "
                + rapidjson::GetParseError_En(document_.GetParseError()));
  }
  if (!document_.IsObject())
    root().fail("is no JSON object");
}

} // namespace lang_agent::report
