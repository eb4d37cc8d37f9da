// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_RUNTIME_SINGLEFLIGHT_H
#define LANDMARK_RUNTIME_SINGLEFLIGHT_H

#include "landmark/Expected.h"

#include <future>
#include <map>
#include <mutex>

namespace landmark {

/// A cache of things that are expensive to make: threads that ask for the same key share one making. No lock is held
/// meanwhile. Failures go to all who waited and are forgotten.
template <typename Key, typename Value> class SingleFlight {
public:
  /// `make()` returns Expected<Value>.
  template <typename Make> Expected<Value> get(const Key &key, Make make) {
    std::promise<Expected<Value>> promise;
    std::shared_future<Expected<Value>> flight;
    {
      std::lock_guard lock(mutex);
      auto found = flights.find(key);
      if (found != flights.end())
        flight = found->second;
      else
        flights.emplace(key, promise.get_future().share());
    }
    if (flight.valid())
      return flight.get();
    Expected<Value> made = make();
    if (!made) {
      std::lock_guard lock(mutex);
      flights.erase(key);
    }
    promise.set_value(made);
    return made;
  }

private:
  std::mutex mutex;
  std::map<Key, std::shared_future<Expected<Value>>> flights;
};

} // namespace landmark
#endif
