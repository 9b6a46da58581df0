/// An upstream that does what a test says.
#pragma once

#include "http/upstream.hpp"

#include <memory>
#include <string>
#include <vector>

namespace lang_agent::test {

/// An upstream whose exchanges the test plays by hand.
struct scripted_upstream : http::upstream {
  struct scripted_exchange : http::exchange {
    void grant(std::size_t bytes) override {
      granted += bytes;
    }
    void cancel() override {
      cancelled = true;
    }
    std::size_t granted = 0;
    bool cancelled = false;
    std::size_t credit = 0;
    std::size_t key = 0;
    std::string forwarded;
    std::shared_ptr<http::exchange_listener> listener;
  };

  std::shared_ptr<http::exchange>
  start(const http::exchange_request& request,
        std::shared_ptr<http::exchange_listener> listener) override {
    auto x = std::make_shared<scripted_exchange>();
    x->credit = request.credit;
    x->key = request.key;
    x->forwarded = request.parameters.forwarded;
    x->listener = std::move(listener);
    exchanges.push_back(x);
    return x;
  }

  void probe(std::function<void(bool)> done) override {
    done(true);
  }

  std::vector<std::shared_ptr<scripted_exchange>> exchanges;
};

} // namespace lang_agent::test
