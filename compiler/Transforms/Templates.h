// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#ifndef LANDMARK_COMPILER_TRANSFORMS_TEMPLATES_H
#define LANDMARK_COMPILER_TRANSFORMS_TEMPLATES_H

#include "landmark/Config.h"

#include <string>
#include <vector>

namespace landmark {

/// The symbols of the kernels that serve an operation, in the order of their launches; `adds` as addsQueryGradients() says.
std::vector<std::string> kernelNames(const std::string &base, Operation operation, bool adds);

/// The text of a template and the name that diagnostics give it.
struct Template {
  std::string name;
  std::string text;
};

/// File name of the template that serves a problem under a config; `adds` as addsQueryGradients() says.
std::string templateName(const Problem &problem, const Config &config, bool adds);

/// The template `name`: `file` if that is not empty, else `dir`/`name` if that exists, else the embedded one.
Expected<Template> findTemplate(const std::string &name, const std::string &file, const std::string &dir);

/// What the request says of the backward kernel that goes by keys: what keyPasses() and keyQueryTile() say of the config.
struct KeyTiling {
  int64_t passes = 1, queryTile = 1;
};

/// Weights of float16 are rounded times 2 to this, and the output is divided by as much. A weight is at most 1, and of a long row most are near one over its length; of float16's range that is what
/// lies below the normal numbers (from 2^-14 on). Not higher: where exponentials are rounded before they are scaled (`landmark.past_weights half`) a block's must not be above 65504.
constexpr int64_t halfWeightExponent = 8;

/// The type aliases that a template may use, as MLIR text on one line, so that the template's own lines keep their numbers.
std::string typeAliases(const Problem &problem, const Config &config, const KeyTiling &tiling);

/// The value of `tile.param "name"`; NotFound lists the names there are.
Expected<int64_t> parameter(const std::string &name, const Problem &problem, const Config &config, const KeyTiling &tiling);

} // namespace landmark
#endif
