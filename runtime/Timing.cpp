// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Timing.h"

#include "DeviceState.h"

#include <algorithm>
#include <chrono>

namespace landmark {

namespace {

using Times = std::vector<double>;
using Call = std::function<Expected<void>()>;

Expected<Times> timeOnHost(int repeats, const Call &call, const Call &before) {
  Times times;
  for (int i = 0; i < repeats; ++i) {
    if (before)
      if (auto done = before(); !done)
        return done.error();
    auto start = std::chrono::steady_clock::now();
    if (auto done = call(); !done)
      return done.error();
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  return times;
}

/// Events of the current context.
class Events {
public:
  Events(const cuda::Driver &driver, int count) : driver(driver), handles(count) {
    for (cuda::EventHandle &handle : handles)
      if (state)
        state = driver.check(driver.eventCreate(&handle, 0), "cuEventCreate");
  }
  ~Events() {
    for (cuda::EventHandle handle : handles)
      if (handle)
        driver.eventDestroy(handle);
  }
  Events(const Events &) = delete;

  const Expected<void> &status() const { return state; }
  Expected<void> record(int index) {
    return driver.check(driver.eventRecord(handles[index], nullptr), "cuEventRecord");
  }
  Expected<double> between(int first, int second) {
    float milliseconds = 0;
    auto done =
        driver.check(driver.eventElapsedTime(&milliseconds, handles[first], handles[second]), "cuEventElapsedTime");
    if (!done)
      return done.error();
    return double(milliseconds);
  }

private:
  const cuda::Driver &driver;
  std::vector<cuda::EventHandle> handles;
  Expected<void> state;
};

Expected<void> recordAll(Events &events, int repeats, const Call &call, const Call &before) {
  for (int i = 0; i < repeats; ++i) {
    if (before)
      if (auto done = before(); !done)
        return done;
    if (auto done = events.record(2 * i); !done)
      return done;
    if (auto done = call(); !done)
      return done;
    if (auto done = events.record(2 * i + 1); !done)
      return done;
  }
  return {};
}

Expected<Times> timeOnDevice(const Device &device, int repeats, const Call &call, const Call &before) {
  const DeviceState &on = *device.state();
  cuda::ContextScope scope(*on.driver, on.context);
  if (!scope.status())
    return scope.status().error();
  Events events(*on.driver, 2 * repeats);
  if (!events.status())
    return events.status().error();
  if (auto recorded = recordAll(events, repeats, call, before); !recorded)
    return recorded.error();
  if (auto done = device.synchronize(); !done)
    return done.error();
  Times times;
  for (int i = 0; i < repeats; ++i) {
    auto time = events.between(2 * i, 2 * i + 1);
    if (!time)
      return time.error();
    times.push_back(*time);
  }
  return times;
}

} // namespace

Expected<Times> timeCalls(const Device &device, int repeats, const Call &call, const Call &before) {
  return device.isHost() ? timeOnHost(repeats, call, before) : timeOnDevice(device, repeats, call, before);
}

double median(std::vector<double> values) {
  auto middle = values.begin() + values.size() / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

} // namespace landmark
