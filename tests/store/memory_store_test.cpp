#define CAF_SUITE memory_store
#include "tests/test.hpp"

#include "store/memory_store.hpp"

using namespace lang_agent;
using namespace lang_agent::test;
using store::memory_store;
using store::turn_record;

namespace {

const thread_key alice{"alice", "1"};

message_list users(std::initializer_list<const char*> texts) {
  message_list out;
  for (const auto* text : texts)
    out.push_back(message("user", text));
  return out;
}

std::string history_of(memory_store& store, const thread_key& key) {
  std::string out;
  for (const auto& x : store.load(key).history)
    out += x->json.substr(x->json.size() - 3, 1); // the last letter of the text
  return out;
}

} // namespace

CAF_TEST(an unknown thread is empty) {
  memory_store store;
  const auto x = store.load(alice);
  CAF_CHECK(x.history.empty());
  CAF_CHECK(x.instructions.empty());
}

CAF_TEST(turns are appended in order) {
  memory_store store;
  store.append({alice, {}, 0, users({"a", "b"})});
  store.append({alice, {}, 2, users({"c", "d"})});
  CAF_CHECK_EQUAL(history_of(store, alice), "abcd");
}

CAF_TEST(what a turn does not keep is superseded) {
  memory_store store;
  store.append({alice, {}, 0, users({"a", "b", "c"})});
  store.append({alice, {}, 1, users({"d"})});
  CAF_CHECK_EQUAL(history_of(store, alice), "ad");
  store.append({alice, {}, 0, users({"e"})});
  CAF_CHECK_EQUAL(history_of(store, alice), "e");
}

CAF_TEST(the last instructions hold) {
  memory_store store;
  store.append({alice, {message("system", "a")}, 0, users({"a"})});
  store.append({alice, {message("system", "b"), message("developer", "c")}, 1, users({"b"})});
  CAF_CHECK_EQUAL(texts_of(store.load(alice).instructions),
                  texts_of({message("system", "b"), message("developer", "c")}));
}

CAF_TEST(threads and tenants are kept apart) {
  memory_store store;
  store.append({alice, {}, 0, users({"a"})});
  store.append({{"alice", "2"}, {}, 0, users({"b"})});
  store.append({{"bob", "1"}, {}, 0, users({"c"})});
  CAF_CHECK_EQUAL(history_of(store, alice), "a");
  CAF_CHECK_EQUAL(history_of(store, {"alice", "2"}), "b");
  CAF_CHECK_EQUAL(history_of(store, {"bob", "1"}), "c");
  CAF_CHECK_EQUAL(history_of(store, {"1", "alice"}), "");
}

CAF_TEST(a turn that cannot be stored changes nothing) {
  memory_store store;
  store.append({alice, {message("system", "s")}, 0, users({"a"})});
  bool thrown = false;
  try {
    store.append({alice, {}, 2, users({"b"})});
  } catch (const store::storage_error&) {
    thrown = true;
  }
  CAF_CHECK(thrown);
  CAF_CHECK_EQUAL(history_of(store, alice), "a");
  CAF_CHECK_EQUAL(store.load(alice).instructions.size(), 1u);
}

CAF_TEST(what was loaded does not change later) {
  memory_store store;
  store.append({alice, {}, 0, users({"a", "b"})});
  const auto before = store.load(alice);
  store.append({alice, {}, 0, users({"c"})});
  CAF_CHECK_EQUAL(before.history.size(), 2u);
}
