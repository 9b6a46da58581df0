/// Threads in memory: gone with the process.
#pragma once

#include "store/thread_store.hpp"

#include <unordered_map>

namespace lang_agent::store {

class memory_store final : public thread_store {
public:
  thread_record load(const thread_key& key) override;
  void append(const turn_record& turn) override;

private:
  struct thread {
    thread_record live;
    message_list superseded;
  };

  std::unordered_map<thread_key, thread> threads_;
};

} // namespace lang_agent::store
