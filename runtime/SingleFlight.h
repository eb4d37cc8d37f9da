// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_SINGLEFLIGHT_H
#define LANDMARK_RUNTIME_SINGLEFLIGHT_H

#include "landmark/Expected.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <list>
#include <mutex>
#include <vector>

namespace landmark {

/// A cache of things that are expensive to make: threads that ask for the same key share one making. No lock is held
/// meanwhile. Failures go to all who waited and are forgotten. Beyond `capacity` values those used longest ago are
/// forgotten, but none that is still being made.
template <typename Key, typename Value> class SingleFlight {
public:
  explicit SingleFlight(std::size_t capacity) : capacity(capacity) {}

  /// `make()` returns Expected<Value>.
  template <typename Make> Expected<Value> get(const Key &key, Make make) {
    std::promise<Expected<Value>> promise;
    std::shared_future<Expected<Value>> flight;
    {
      std::lock_guard lock(mutex);
      auto found = find(key);
      if (found != flights.end()) {
        flights.splice(flights.begin(), flights, found);
        flight = found->second;
      } else {
        flights.emplace_front(key, promise.get_future().share());
      }
    }
    if (flight.valid())
      return flight.get();
    Expected<Value> made = make();
    promise.set_value(made);
    std::list<Flight> forgotten; // ends after the lock: values may take their time to go
    std::lock_guard lock(mutex);
    if (!made)
      if (auto failed = find(key); failed != flights.end())
        forgotten.splice(forgotten.end(), flights, failed);
    for (auto last = flights.end(); flights.size() > capacity && last != flights.begin();) {
      auto candidate = std::prev(last);
      if (isMade(*candidate))
        forgotten.splice(forgotten.end(), flights, candidate);
      else
        last = candidate;
    }
    return made;
  }

  /// Forgets what is made and has a key that `matches`.
  template <typename Matches> void forget(Matches matches) {
    std::list<Flight> forgotten;
    std::lock_guard lock(mutex);
    for (auto flight = flights.begin(); flight != flights.end();) {
      auto next = std::next(flight);
      if (matches(flight->first) && isMade(*flight))
        forgotten.splice(forgotten.end(), flights, flight);
      flight = next;
    }
  }

  /// What is made and not forgotten.
  std::vector<Value> made() const {
    std::vector<Value> values;
    std::lock_guard lock(mutex);
    for (const Flight &flight : flights)
      if (isMade(flight))
        if (const Expected<Value> &value = flight.second.get())
          values.push_back(*value);
    return values;
  }

  std::size_t size() const {
    std::lock_guard lock(mutex);
    return flights.size();
  }

private:
  using Flight = std::pair<Key, std::shared_future<Expected<Value>>>;

  static bool isMade(const Flight &flight) {
    return flight.second.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  auto find(const Key &key) {
    return std::find_if(flights.begin(), flights.end(), [&](const Flight &flight) { return flight.first == key; });
  }

  const std::size_t capacity;
  mutable std::mutex mutex;
  std::list<Flight> flights; ///< by use, the latest first
};

} // namespace landmark
#endif
