#define CAF_SUITE thread_lines
#include "tests/test.hpp"

#include "tests/http/thread_tools.hpp"

using namespace lang_agent;
using namespace lang_agent::test;

namespace {

const std::string thread_line =
    R"({"id":"t","object":"thread","format":"lang-agent.thread/1","created_ms":1,"updated_ms":2,)"
    R"("turns":3,"metadata":{},"instructions":[]})";

const std::string message_line =
    R"({"id":"msg_1","object":"thread.message","created_ms":1,"superseded":false,)"
    R"("message":{"role":"user","content":"x"}})";

/// The line with a member replaced or, without a value, removed.
std::string changed(const std::string& line, const std::string& member, const std::string& value) {
  auto document = parsed(line);
  document.RemoveMember(member.c_str());
  auto out = http::dom::dump(document);
  if (!value.empty())
    out.insert(out.size() - 1, ",\"" + member + "\":" + value);
  return out;
}

} // namespace

CAF_TEST(lines of an export) {
  thread_info info{"t", 1'700'000'000'999, 1'700'000'001'000, 2, 5, 77, {{"k", "v"}}, {}};
  CAF_CHECK_EQUAL(http::export_thread_line(info),
                  R"({"id":"t","object":"thread","format":"lang-agent.thread/1",)"
                  R"("created_ms":1700000000999,"updated_ms":1700000001000,"turns":2,"messages":5,)"
                  R"("tokens":77,"metadata":{"k":"v"},"instructions":[]})"
                  "\n");
  const auto x = stored(7, R"({"role":"user","content":"q"})");
  CAF_CHECK_EQUAL(http::export_message_line(x),
                  R"({"id":"msg_7","object":"thread.message","created_ms":1700000000123,)"
                  R"("superseded":false,"tokens":)"
                      + std::to_string(x.message->tokens)
                      + R"(,"message":{"role":"user","content":"q"}})"
                        "\n");
  CAF_CHECK_EQUAL(http::export_end_line("a\"b", 12),
                  R"({"object":"thread.end","id":"a\"b","messages":12})"
                  "\n");
}

CAF_TEST(a message that was sent on several lines is exported on one) {
  const auto x = stored(1, "{\r\n \"role\":\n\"user\",\t\"content\":\"a\\nb\"\n}");
  const auto line = http::export_message_line(x);
  CAF_CHECK_EQUAL(line.find('\n'), line.size() - 1);
  CAF_CHECK_EQUAL(line.find('\r'), std::string::npos);
  const auto back = accepted<stored_message>(http::decode_import_line(line, 1));
  CAF_CHECK_EQUAL(back.message->json, "{   \"role\": \"user\",\t\"content\":\"a\\nb\" }");
  CAF_CHECK(back.message->id == x.message->id);
}

CAF_TEST(lines of an import) {
  const auto thread = accepted<thread_info>(http::decode_import_line(thread_line, 1));
  CAF_CHECK_EQUAL(thread.id, "t");
  CAF_CHECK_EQUAL(thread.turns, 3u);
  // What may be missing, what may be added.
  for (const char* member : {"metadata", "instructions"}) {
    accepted<thread_info>(http::decode_import_line(changed(thread_line, member, ""), 1));
    accepted<thread_info>(http::decode_import_line(changed(thread_line, member, "null"), 1));
  }
  accepted<thread_info>(http::decode_import_line(changed(thread_line, "new", "[1]") + "\r\n", 1));
  for (const char* value : {"", "null", "false"})
    CAF_CHECK(!accepted<stored_message>(
                   http::decode_import_line(changed(message_line, "superseded", value), 1))
                   .superseded);
  const auto message = accepted<stored_message>(http::decode_import_line(
      R"({"reasoning_content":"b\u0065c","object":"thread.message","message": {"role" : "assistant","content":null},)"
      R"("id":"msg_18446744073709551615","created_ms":5,"superseded":true,"tokens":1})",
      1));
  CAF_CHECK(message.number == UINT64_MAX && message.superseded && message.created == 5);
  CAF_CHECK_EQUAL(message.message->json, R"({"role" : "assistant","content":null})");
  CAF_CHECK_EQUAL(message.message->reasoning, R"("b\u0065c")");
  const auto end = accepted<http::import_end>(
      http::decode_import_line(R"({"object":"thread.end","id":"t","messages":12})", 1));
  CAF_CHECK_EQUAL(end.id + "/" + std::to_string(end.messages), "t/12");
}

CAF_TEST(wrong lines of an import name their line and what is wrong) {
  struct row {
    std::string line;
    const char* member; ///< that the message names
  };
  const std::string end_line = R"({"object":"thread.end","id":"t","messages":1})";
  std::string many = "{\"0\":\"\"";
  for (int i = 1; i < 17; ++i)
    many += ",\"" + std::to_string(i) + "\":\"\"";
  const row table[] = {
      {"{}", "'object'"},
      {changed(thread_line, "object", "\"thread.other\""), "'object'"},
      {changed(thread_line, "object", "5"), "'object'"},
      {changed(thread_line, "format", ""), "'format'"},
      {changed(thread_line, "format", "\"lang-agent.thread/2\""), "'format'"},
      {changed(thread_line, "format", "1"), "'format'"},
      {changed(thread_line, "id", ""), "'id'"},
      {changed(thread_line, "id", "\"\""), "'id'"},
      {changed(thread_line, "id", "5"), "'id'"},
      {changed(thread_line, "created_ms", ""), "'created_ms'"},
      {changed(thread_line, "created_ms", "-1"), "'created_ms'"},
      {changed(thread_line, "created_ms", "1.5"), "'created_ms'"},
      {changed(thread_line, "created_ms", "253402300800000"), "'created_ms'"},
      {changed(thread_line, "updated_ms", "18446744073709551615"), "'updated_ms'"},
      {changed(thread_line, "updated_ms", "\"1\""), "'updated_ms'"},
      {changed(thread_line, "turns", ""), "'turns'"},
      {changed(thread_line, "turns", "18446744073709551616"), "'turns'"},
      {changed(thread_line, "metadata", "[]"), "'metadata'"},
      {changed(thread_line, "metadata", many + "}"), "'metadata'"},
      {changed(thread_line, "metadata", R"({"a":null})"), "'metadata.a'"},
      {changed(thread_line, "metadata", R"({"a":5})"), "'metadata.a'"},
      {changed(thread_line, "metadata", R"({"":""})"), "'metadata'"},
      {changed(thread_line, "metadata", R"({"a":"","a":""})"), "'metadata.a'"},
      {changed(thread_line, "instructions", "{}"), "'instructions'"},
      {changed(thread_line, "instructions", "[5]"), "'instructions[0]'"},
      {changed(thread_line, "instructions",
               R"([{"role":"system","content":"x"},{"role":"user","content":"x"}])"),
       "'instructions[1].role'"},
      {changed(thread_line, "instructions", R"([{"role":"system","content":5}])"),
       "'instructions[0].content'"},
      {R"({"object":"thread","object":"thread"})", "'object'"},
      {changed(message_line, "id", ""), "'id'"},
      {changed(message_line, "id", "\"1\""), "'id'"},
      {changed(message_line, "id", "\"msg_01\""), "'id'"},
      {changed(message_line, "created_ms", ""), "'created_ms'"},
      {changed(message_line, "superseded", "1"), "'superseded'"},
      {changed(message_line, "message", ""), "'message'"},
      {changed(message_line, "message", "null"), "'message'"},
      {changed(message_line, "message", "[]"), "'message'"},
      {changed(message_line, "message", R"({"role":"user"})"), "'message.content'"},
      {changed(message_line, "message", R"({"role":"system","content":"x"})"), "'message.role'"},
      {changed(message_line, "reasoning_content", "\"x\""), "'reasoning_content'"},
      {changed(changed(message_line, "message", R"({"role":"assistant","content":"x"})"),
               "reasoning_content", "5"),
       "'reasoning_content'"},
      {changed(end_line, "id", ""), "'id'"},
      {changed(end_line, "messages", "-1"), "'messages'"},
      {changed(end_line, "messages", ""), "'messages'"},
  };
  for (const auto& x : table) {
    CAF_MESSAGE(x.line);
    const auto result = http::decode_import_line(x.line, 12);
    const auto& why = refused(result);
    CAF_CHECK(why.kind == error_kind::invalid_request);
    CAF_CHECK_EQUAL(why.param, "line 12");
    CAF_CHECK(why.message.starts_with("line 12: Invalid value for "));
    CAF_MESSAGE(why.message);
    CAF_CHECK(why.message.find(x.member) != std::string::npos);
  }
  for (const std::string line : {"", "x", "{", "[]", "5", "{\"a\":\"\xff\"}", "{} {}"}) {
    const auto result = http::decode_import_line(line, 3);
    CAF_CHECK(refused(result).kind == error_kind::invalid_json);
    CAF_CHECK(refused(result).message.starts_with("line 3: "));
  }
  const auto deep = std::string(200, '[') + std::string(200, ']');
  CAF_CHECK(refused(http::decode_import_line(changed(thread_line, "x", deep), 3)).kind
            == error_kind::invalid_json);
}

// -- the round trip of any thread -----------------------------------------------------------------

namespace {

std::string quoted(const std::string& text) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
  writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
  return {buffer.GetString(), buffer.GetSize()};
}

std::string random_message(std::mt19937& random, const std::string& role) {
  const auto blank = [&] { return std::string(random() % 3, random() % 2 ? ' ' : '\t'); };
  auto content = quoted(random_text(random, 30));
  if (random() % 2)
    content = "[" + blank() + R"({"type":"text","text":)" + content + R"(,"n":1.50e3}])";
  auto out = "{" + blank() + "\"role\":" + blank() + quoted(role) + ",\"content\":" + content;
  if (role == "assistant" && random() % 2)
    out += R"(,"tool_calls":[{"id":"c\u0031","type":"function","function":{"name":"f","arguments":)"
           + quoted(random_text(random, 10)) + "}}]";
  if (role == "tool")
    out += R"(,"tool_call_id":"c1")";
  return out + blank() + "}";
}

std::string random_id(std::mt19937& random) {
  while (true)
    if (auto id = random_text(random, 10); http::is_thread_id(id))
      return id;
}

thread_info random_thread(std::mt19937& random) {
  thread_info out;
  out.id = random_id(random);
  out.created = static_cast<unix_ms>((std::uint64_t{random()} << 8) % 253'402'300'800'000);
  out.updated = out.created + random() % 100;
  out.turns = std::uint64_t{random()} << (random() % 32);
  for (auto n = random() % 17; n > 0; --n)
    out.metadata[std::to_string(n) + random_text(random, 5)] = random_text(random, 50);
  for (auto n = random() % 4; n > 0; --n)
    out.instructions.push_back(
        messages_of("[" + random_message(random, n % 2 ? "system" : "developer") + "]").front());
  return out;
}

stored_message random_stored(std::mt19937& random) {
  static const std::vector<std::string> roles{"user", "assistant", "tool"};
  auto out = stored(random(), random_message(random, roles[random() % roles.size()]));
  out.created = random();
  out.superseded = random() % 2;
  if (out.message->who == role::assistant && random() % 2) {
    auto copy = std::make_shared<chat_message>(*out.message);
    copy->reasoning = quoted(random_text(random, 30));
    out.message = copy;
  }
  return out;
}

bool same(const chat_message& a, const chat_message& b) {
  return a.who == b.who && a.json == b.json && a.reasoning == b.reasoning && a.id == b.id
         && a.calls == b.calls && a.answers == b.answers && a.empty == b.empty
         && a.tokens == b.tokens;
}

} // namespace

CAF_TEST(what is exported is imported as it was) {
  std::mt19937 random{7};
  for (int round = 0; round < 2000; ++round) {
    const auto thread = random_thread(random);
    const auto line = http::export_thread_line(thread);
    const auto back = accepted<thread_info>(http::decode_import_line(line, 1));
    if (back.id != thread.id || back.created != thread.created || back.updated != thread.updated
        || back.turns != thread.turns || back.metadata != thread.metadata
        || back.instructions.size() != thread.instructions.size())
      CAF_FAIL("round " << round << ": " << line);
    for (std::size_t i = 0; i < thread.instructions.size(); ++i)
      CAF_REQUIRE(same(*back.instructions[i], *thread.instructions[i]));

    const auto message = random_stored(random);
    const auto text = http::export_message_line(message);
    const auto again = accepted<stored_message>(http::decode_import_line(text, 2));
    if (again.number != message.number || again.created != message.created
        || again.superseded != message.superseded || !same(*again.message, *message.message))
      CAF_FAIL("round " << round << ": " << text);
    CAF_REQUIRE_EQUAL(line.find('\n') + 1, line.size());
    CAF_REQUIRE_EQUAL(text.find('\n') + 1, text.size());
    parsed(http::encode_message_list({{message}, false}));
    parsed(http::encode_thread_list({{thread}, true}));
  }
}

CAF_TEST(no line breaks the decoder) {
  const std::string lines[] = {thread_line, message_line,
                               R"({"object":"thread.end","id":"t","messages":12})"};
  static constexpr std::string_view bytes = "\"{}[],:\\0123456789-.eEtrufalsn \xff\xc3\x80";
  std::mt19937 random{11};
  for (int round = 0; round < 10'000; ++round) {
    auto line = lines[random() % 3];
    for (auto n = 1 + random() % 3; n > 0; --n) {
      const auto where = random() % line.size();
      if (random() % 2)
        line[where] = bytes[random() % bytes.size()];
      else
        line.erase(where, 1 + random() % 4);
      line += ' ';
    }
    const auto result = http::decode_import_line(line, 5);
    if (const auto* why = std::get_if<failure>(&result))
      CAF_REQUIRE(why->message.starts_with("line 5: ") && why->http_status() == 400);
  }
}
