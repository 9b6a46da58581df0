/// From tenant and model to the upstreams that may answer. Immutable, thread-safe.
#pragma once

#include "config/settings.hpp"
#include "messages/chat.hpp"
#include "messages/route.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lang_agent {

/// Whether `name` fits `pattern`, in which "*" stands for anything.
bool fits(std::string_view name, std::string_view pattern);

class routing_table {
public:
  explicit routing_table(const settings& x);

  /// In this order: the first configured route that fits; the upstreams that list the model; any
  /// upstream, where unknown models are welcome. Null: nobody.
  route_ptr find(std::string_view tenant, std::string_view model) const;

  /// What the upstreams of a route refuse of a request.
  struct refusals {
    std::vector<std::size_t> upstreams = {};
    std::string parameter = {}; ///< set when all of them refuse: one that they do
  };
  refusals refused(const route& where, const chat_parameters& x) const;

  /// The models that a tenant is told of: those that its routes or upstreams name. In the order of
  /// the config, each once.
  std::vector<std::string> models(std::string_view tenant) const;

  /// The members of all groups, by number.
  const std::vector<std::vector<std::size_t>>& groups() const {
    return groups_;
  }

private:
  struct entry {
    std::vector<std::string> models;
    std::vector<std::string> tenants;
    route_ptr where;
  };

  struct text_hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  upstream_group group(std::vector<std::size_t> members);
  route_ptr by_priority(const std::vector<upstream_settings>& upstreams,
                        const std::vector<std::size_t>& members);

  std::vector<std::vector<std::size_t>> groups_;
  std::vector<entry> routes_;
  std::unordered_map<std::string, route_ptr, text_hash, std::equal_to<>> listed_;
  std::vector<std::vector<std::string>> served_; ///< by each upstream
  std::vector<parameter_policy> policies_;       ///< of each upstream
  bool may_refuse_ = false;                      ///< any of them
  route_ptr any_;                                ///< null: unknown models are refused
};

} // namespace lang_agent
