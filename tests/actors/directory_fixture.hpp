/// A directory shard whose conversations are probes.
#pragma once

#include "tests/actors/fixture.hpp"

#include "actors/directory.hpp"

#include <algorithm>

namespace lang_agent::test {

struct directory_fixture : fixture {
  struct spawned {
    thread_key key;
    bool stateless;
    std::shared_ptr<conversation_inbox> inbox;
    conversation_actor actor;
    std::weak_ptr<footprint> memory;
    std::shared_ptr<bool> ended; ///< it has left memory
  };

  std::vector<spawned> conversations;
  std::shared_ptr<request_inbox> requester = std::make_shared<request_inbox>();
  request_actor requester_actor = request_probe(requester);
  std::shared_ptr<journal_inbox> journal = std::make_shared<journal_inbox>();
  std::shared_ptr<journal_gate> gate = std::make_shared<journal_gate>(1024 * 1024);
  directory_options options;
  directory_actor aut;

  directory_fixture() {
    options.journal = {journal_probe(journal), gate};
  }

  ~directory_fixture() {
    kill(aut);
  }

  void start() {
    aut = adopt(spawn_directory(
        sys, options, [this](const thread_key& key, bool stateless, const footprint_ptr& memory) {
          auto in = std::make_shared<conversation_inbox>();
          auto actor = conversation_probe(in);
          auto ended = std::make_shared<bool>(false);
          actor->attach_functor([ended](const caf::error&) { *ended = true; });
          conversations.push_back({key, stateless, in, actor, memory, ended});
          return actor;
        }));
  }

  turn_id ask(const std::string& tenant, const std::string& thread, bool stateless = false) {
    auto x = std::make_shared<turn>(requester_actor);
    x->key = {tenant, thread};
    x->stateless = stateless;
    const auto id = x->id;
    send(aut, std::move(x));
    return id;
  }

  void change(const std::string& tenant, const std::string& thread) {
    const thread_key key{tenant, thread};
    send(aut, change_thread{key, delete_thread{key}});
  }

  /// The conversation has nothing left to do.
  void finish(std::size_t i) {
    conversations[i].inbox->all<turn_ptr>().clear();
    conversations[i].inbox->all<change_thread>().clear();
    sched.run();
  }

  /// One turn of a thread, from beginning to end.
  void talk(const std::string& thread) {
    ask("t", thread);
    for (std::size_t i = 0; i < conversations.size(); ++i)
      finish(i);
  }

  std::size_t awake() const {
    return static_cast<std::size_t>(std::count_if(conversations.begin(), conversations.end(),
                                                  [](const spawned& x) { return !*x.ended; }));
  }
};

} // namespace lang_agent::test
