// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Graph.h"

#include <utility>

namespace landmark {

Expected<Graph> Graph::capture(const Device &device, Work work) {
  Graph captured;
  captured.owner = device.state();
  if (device.isHost()) {
    captured.work = std::move(work);
    return captured;
  }
  const cuda::Driver &driver = *device.state()->driver;
  cuda::ContextScope scope(driver, device.state()->context);
  if (!scope.status())
    return scope.status().error();
  cuda::StreamHandle stream = nullptr;
  if (auto made = driver.check(driver.streamCreate(&stream, cuda::NonBlocking), "cuStreamCreate"); !made)
    return made.error();
  Expected<void> done =
      driver.check(driver.streamBeginCapture(stream, cuda::CaptureThreadLocal), "cuStreamBeginCapture");
  if (done) {
    done = work(stream);
    auto ended = driver.check(driver.streamEndCapture(stream, &captured.graph), "cuStreamEndCapture");
    if (done)
      done = ended;
  }
  driver.streamDestroy(stream);
  if (done)
    done = driver.check(driver.graphInstantiate(&captured.executable, captured.graph, 0), "cuGraphInstantiate");
  if (!done)
    return done.error();
  return captured;
}

Graph::Graph(Graph &&other) noexcept
    : owner(std::move(other.owner)), work(std::move(other.work)), graph(std::exchange(other.graph, nullptr)),
      executable(std::exchange(other.executable, nullptr)) {}

Graph::~Graph() {
  if (!graph)
    return;
  cuda::ContextScope scope(*owner->driver, owner->context);
  if (!scope.status())
    return;
  if (executable)
    owner->driver->graphExecDestroy(executable);
  owner->driver->graphDestroy(graph);
}

Expected<void> Graph::launch(void *stream) const {
  if (work)
    return work(stream);
  cuda::ContextScope scope(*owner->driver, owner->context);
  if (!scope.status())
    return scope.status();
  return owner->driver->check(owner->driver->graphLaunch(executable, static_cast<cuda::StreamHandle>(stream)),
                              "cuGraphLaunch");
}

} // namespace landmark
