#include "actors/order_queue.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

namespace lang_agent {

bool order_queue::is_full_for(const queue_share& x) const {
  const auto found = tenants_.find(x.tenant);
  return (found == tenants_.end() ? 0 : found->second.ids.size()) >= x.max_waiting;
}

void order_queue::push(std::size_t group, order_ptr x) {
  const auto id = x->id;
  const auto& share = *share_of(*x);
  const auto [found, is_new] = tenants_.try_emplace(share.tenant);
  auto& tenant = found->second;
  if (is_new) {
    tenant.name = share.tenant;
    tenant.at = levels_[0].insert(levels_[0].end(), &tenant);
  }
  tenant.weight = share.weight;
  tenant.waiting = share.waiting;
  if (tenant.waiting)
    ++*tenant.waiting;
  const auto in_tenant = tenant.ids.insert(tenant.ids.end(), id);
  rank(tenant);
  places_[id] = {group, lines_[group].push(std::move(x)), &tenant, in_tenant};
}

order_ptr order_queue::make_room_for(const queue_share& x) {
  const auto top = std::find_if(levels_.rbegin(), levels_.rend(),
                                [](const tenant_list& level) { return !level.empty(); });
  if (top == levels_.rend())
    return nullptr;
  const auto found = tenants_.find(x.tenant);
  const auto own = found == tenants_.end() ? 0 : found->second.ids.size();
  const auto& longest = *top->front();
  if (longest.level <= level_of(own + 1, x.weight))
    return nullptr;
  return remove(longest.ids.back());
}

order_ptr order_queue::take(std::size_t group, std::chrono::steady_clock::time_point now,
                            const fair_line::judge& ask) {
  auto out = lines_[group].take(now, ask);
  if (out) {
    const auto found = places_.find(out->id);
    leave(found->second);
    places_.erase(found);
  }
  return out;
}

order_ptr order_queue::remove(turn_id id) {
  const auto found = places_.find(id);
  if (found == places_.end())
    return nullptr;
  auto out = lines_[found->second.group].remove(found->second.in_line);
  leave(found->second);
  places_.erase(found);
  return out;
}

void order_queue::expire(std::chrono::steady_clock::time_point limit,
                         const std::function<void(order_ptr)>& take) {
  for (const auto& line : lines_)
    for (const auto id : line.expired(limit))
      take(remove(id));
}

/// The binary logarithm of orders for each unit of weight, in thousandths: tenants change level in
/// constant time.
std::size_t order_queue::level_of(std::size_t orders, unsigned weight) {
  return std::bit_width(orders * 1000 / std::max(weight, 1u));
}

void order_queue::rank(tenant_orders& x) {
  const auto level = level_of(x.ids.size(), x.weight);
  levels_[level].splice(levels_[level].end(), levels_[x.level], x.at);
  x.level = level;
}

/// The tenant has one less.
void order_queue::leave(place& x) {
  auto& tenant = *x.tenant;
  tenant.ids.erase(x.in_tenant);
  if (tenant.waiting)
    --*tenant.waiting;
  if (!tenant.ids.empty()) {
    rank(tenant);
    return;
  }
  levels_[tenant.level].erase(tenant.at);
  const auto name = std::move(tenant.name);
  tenants_.erase(name);
}

} // namespace lang_agent
