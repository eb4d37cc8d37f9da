// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "tune/Candidates.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace landmark::tune {

namespace {

std::vector<int64_t> keyTiles(const Problem &problem) {
  if (problem.operation == Operation::Backward) // whole rows of accumulators for each warp, whatever the block
    return {16, 32, 64, 96, 128};
  std::vector<int64_t> tiles;
  int64_t padded = paddedBlock(problem);
  for (int64_t keys = padded; keys <= 128; keys += padded)
    if (keys >= 32 || keys + padded > 128)
      tiles.push_back(keys);
  // One block with 8 columns more, as wgmma takes keys in steps of 16.
  if (padded % 16 != 0)
    for (int64_t keys = padded + 8; keys <= 128; keys += padded + 8)
      if (keys >= 32 && keys % padded != 0)
        tiles.push_back(keys);
  // Parts of a block.
  for (int64_t keys : {32, 64, 96, 128})
    if (keys < padded)
      tiles.push_back(keys);
  return tiles;
}

void addHostConfigs(const Problem &problem, std::vector<Config> &configs) {
  for (int64_t rows : {8, 16, 32, 64, 128, 256})
    for (int64_t keys : keyTiles(problem))
      configs.push_back({rows, keys, 1, 1});
}

/// The ways to multiply and to load that a tiling can have.
void addEngines(Config config, std::vector<Config> &configs) {
  for (MatrixUnit unit : {MatrixUnit::Mma, MatrixUnit::Wgmma}) {
    config.unit = unit;
    configs.push_back(config);
  }
  config.loads = Loads::Tma;
  for (int64_t programs : {1, 2, 4})
    for (bool overlap : {false, true})
      for (bool pingPong : {false, true}) {
        if (pingPong && (!overlap || config.warps < 8))
          continue; // no turns are taken
        config.programs = programs;
        config.overlap = overlap;
        config.pingPong = pingPong;
        for (bool dqGroup : {false, true}) {
          config.dqGroup = dqGroup;
          configs.push_back(config);
        }
      }
}

void addDeviceConfigs(const Problem &problem, std::vector<Config> &configs) {
  for (int64_t keys : keyTiles(problem))
    for (int64_t warps : {1, 2, 4, 8, 12, 16})
      for (int64_t rows : {16, 32, 64})
        for (int64_t stages : {1, 2, 3, 4})
          addEngines({rows * warps, keys, warps, stages}, configs);
}

/// Rows that each warp has for itself, or that all have in common; the columns are a page's.
void addRetrievalConfigs(const Config &initial, bool isHost, std::vector<Config> &configs) {
  Config config = initial;
  if (isHost) {
    for (config.queryTile = 1; config.queryTile <= 64; config.queryTile *= 2)
      configs.push_back(config);
    return;
  }
  for (int64_t warps : {1, 2, 4, 8})
    for (int64_t rows : std::set<int64_t>{8, 16, 16 * warps})
      for (int64_t stages : {1, 2, 3, 4, 6}) {
        config.warps = warps;
        config.queryTile = rows;
        config.stages = stages;
        configs.push_back(config);
      }
}

/// Registers of a thread's accumulators: of the output and the logits, or of the gradients of keys and the two tiles of
/// weights that they are summed from.
double accumulatorsOf(const Config &config, const Problem &problem) {
  double rows = double(config.queryTile), keys = double(config.keyTile), D = double(problem.headDim);
  double elements = problem.operation == Operation::Backward ? 2 * keys * D + 2 * double(keyQueryTile(problem, config)) * keys : rows * (D + keys);
  return elements / (32 * double(config.warps));
}

/// How busy the last wave of programs leaves the device: 1 for full waves.
double lastWave(double programs, double places) {
  double waves = programs / places;
  return waves > 0 ? std::ceil(waves) / waves : 1;
}

double hostCost(const Config &config) {
  // Rows share the loads of keys; tiles that leave the first cache cost.
  double rows = double(config.queryTile), keys = double(config.keyTile);
  return 1 + 8 / rows + 4 / keys + rows * keys / 65536;
}

/// Few rows, many bytes: loads under way, warps that work on a tile side by side, and rows that nobody asked for.
double decodeCost(const Config &config, const Problem &problem, const Target &target) {
  double programs = std::min(16.0, std::floor(double(target.sharedBytesPerMultiprocessor()) /
                                              double(sharedBytes(config, problem, target) + 1024)));
  return 1 + 4 / (programs * double(config.stages)) + 1 / double(config.warps) + double(config.queryTile) / 64;
}

} // namespace

Workload defaultWorkload(Operation operation, const Device &device, LengthClass length) {
  if (isRetrieval(operation))
    return device.isHost() ? Workload{1, 8, 2, 1, 16384} : Workload{1, 32, 8, 1, 65536};
  if (device.isHost())
    return length == LengthClass::Long ? Workload{1, 1, 1, 8192, 8192} : Workload{1, 4, 4, 1024, 1024};
  return length == LengthClass::Long ? Workload{1, 16, 16, 16384, 16384} : Workload{};
}

Workload workloadOf(const TuneOptions &options, Operation operation, const Device &device) {
  Workload sizes = defaultWorkload(operation, device);
  auto take = [](int64_t &size, int64_t wanted) { size = wanted > 0 ? wanted : size; };
  take(sizes.batch, options.batch);
  take(sizes.heads, options.heads);
  take(sizes.kvHeads, options.kvHeads > 0 ? options.kvHeads : options.heads);
  take(sizes.keyLength, options.keyLength);
  take(sizes.queryLength, options.queryLength > 0 || isRetrieval(operation) ? options.queryLength : options.keyLength);
  return sizes;
}

std::vector<Config> legalConfigs(const Problem &problem, const Target &target, const Config &initial) {
  std::vector<Config> configs;
  if (isRetrieval(problem.operation))
    addRetrievalConfigs(initial, target.isHost(), configs);
  else
    (target.isHost() ? addHostConfigs : addDeviceConfigs)(problem, configs);
  std::erase_if(configs, [&](const Config &config) { return !validate(config, problem, target); });
  if (std::find(configs.begin(), configs.end(), initial) == configs.end())
    configs.push_back(initial);
  return configs;
}

double predictedCost(const Config &config, const Problem &problem, const Workload &workload, const Device &device) {
  if (device.isHost())
    return hostCost(config);
  if (isRetrieval(problem.operation))
    return decodeCost(config, problem, device.target());
  const Target &target = device.target();
  double rows = double(config.queryTile), keys = double(config.keyTile), warps = double(config.warps);
  double threads = double(landmark::threads(config, target)), rowsOfWarp = rows / warps;
  double accumulators = accumulatorsOf(config, problem);
  double registers = std::min(255.0, accumulators + 72), available = std::min(255.0, 65536 / (threads - (config.dqGroup ? 128 : 0))); // dq's group has few
  double shared = double(sharedBytes(config, problem, target) + 1024);
  double blocks = std::floor(std::min({double(target.sharedBytesPerMultiprocessor()) / shared,
                                       65536 / (std::min(registers, available) * threads), 2048 / threads}));
  blocks = std::max(1.0, blocks);

  bool wgmma = config.unit == MatrixUnit::Wgmma;
  double cost = wgmma ? 1.0 : 1.7;
  cost += wgmma ? 0.15 * 64 / rows : 0.5 * 16 / rowsOfWarp; // operands from shared memory
  cost += 0.2 * 64 / rows;                                  // keys and values from the L2 cache
  cost += 0.1 * 64 / keys;                                  // what every tile costs
  cost /= 0.4 + 0.6 * std::min(1.0, blocks * warps / 8);    // warps that hide latencies
  if (config.loads == Loads::Tma)                           // copies and addresses cost the multiplying warps nothing
    cost *= 0.8 * (config.overlap ? 0.95 : 1) * (config.pingPong ? 0.97 : 1) * (config.dqGroup ? 0.93 : 1);
  if (config.stages == 1)
    cost *= blocks > 1 ? 1.1 : 1.3;
  if (isLongBlock(problem, config) && paddedBlock(problem) <= 128)
    cost *= 1.5; // keys are multiplied twice, or there is a second accumulator
  if (accumulators + 72 > available)
    cost *= 1 + (accumulators + 72 - available) / available; // spills
  double programs = std::ceil(double(workload.queryLength) / rows) * double(workload.heads * workload.batch) / double(config.programs);
  if (config.programs > 1)
    cost *= 0.97; // one program's end under the next one's start
  return cost * lastWave(programs, double(device.multiprocessors()) * blocks);
}

bool areNeighbours(const Config &a, const Config &b) {
  // Another engine has switches of its own; they go with it.
  bool engine = a.unit != b.unit || a.loads != b.loads;
  int switches = engine ? 0 : (a.programs != b.programs) + (a.overlap != b.overlap) + (a.pingPong != b.pingPong) + (a.dqGroup != b.dqGroup);
  bool shape = a.queryTile != b.queryTile || a.warps != b.warps;
  return shape + engine + switches + (a.keyTile != b.keyTile) + (a.stages != b.stages) == 1;
}

} // namespace landmark::tune
